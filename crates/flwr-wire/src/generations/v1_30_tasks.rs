//! App processes of flwr 1.30 and later, over gRPC until 1.34 and over HTTP from 1.35 on. Each works on a task, and shows the task's token in the
//! metadata of every call. Whoever starts the processes lists the tasks, and claims one by its id; from
//! 1.39 on both in one call.

use flwr_core::port::Runtime;
use flwr_core::refusal::Feature;

use crate::apps;
use crate::host::RuntimeHost;
use crate::methods::Size;
use crate::methods::runtime::{Methods, Rules};

mod jobs;
mod messages;
mod rpcs;
mod tasks;

use rpcs::Service;

/// What ServerApps of this generation call.
pub(crate) fn serverapps<H: RuntimeHost>(m: &mut Methods<H>) {
    for service in [rpcs::SERVERAPPIO, rpcs::RUNTIME] {
        app(m, &service, jobs::Kind::ServerApp);
        m.task(
            service.push_messages,
            Rules::CALL.of_size(Size::INSTRUCTIONS),
            |_| None,
            messages::push_instructions,
        );
        m.task(
            service.pull_messages,
            Rules::HELD.of_size(Size::IDS),
            |_| None,
            messages::pull_replies,
        );
    }
}

/// What ClientApps of this generation call.
pub(crate) fn clientapps<H: RuntimeHost>(m: &mut Methods<H>) {
    for service in [rpcs::CLIENTAPPIO, rpcs::RUNTIME] {
        app(m, &service, jobs::Kind::ClientApp);
        reply(m, &service);
    }
    // Under the names of flwr 1.30 and 1.31.
    reply(m, &rpcs::CLIENTAPPIO_1_30);
}

/// How a ClientApp gets its message, and answers.
fn reply<H: RuntimeHost>(m: &mut Methods<H>, service: &Service) {
    m.task(
        service.push_messages,
        Rules::CALL.of_size(Size::INSTRUCTIONS),
        |_| None,
        messages::push_reply,
    );
    m.task(
        service.pull_messages,
        Rules::HELD.of_size(Size::IDS),
        |_| None,
        messages::pull_instruction,
    );
}

/// What both kinds of apps call, and those who start them.
fn app<H: RuntimeHost>(m: &mut Methods<H>, service: &Service, kind: jobs::Kind) {
    let call = Rules::CALL;
    launchers(m, service, kind);
    m.task(service.heartbeat, call, |_| None, tasks::send_heartbeat);
    m.task(service.pull_input, call, |_| None, tasks::pull_input);
    m.task(
        service.push_output,
        call.of_size(Size::TASK_OUTPUT),
        |_| None,
        tasks::push_output,
    );
    m.task(service.get_nodes, call, |_| None, apps::get_nodes);
    m.task(
        service.push_logs,
        call.of_size(Size::CONTENT),
        |request| Some(request.run_id),
        apps::push_logs,
    );
    m.task(
        service.objects.push,
        call.of_size(Size::CONTENT),
        |request| Some(request.run_id),
        apps::push_object,
    );
    m.task(
        service.objects.pull,
        call,
        |request| Some(request.run_id),
        apps::pull_object,
    );
    m.task(
        service.objects.confirm,
        call,
        |request| Some(request.run_id),
        apps::confirm_message_received,
    );
    for call in service.agents {
        m.refuse(call, Feature::Agents);
    }
}

/// What those call who start app processes in the daemon's place.
fn launchers<H: RuntimeHost>(m: &mut Methods<H>, service: &Service, kind: jobs::Kind) {
    m.launcher(service.pull_pending, move |jobs, _| {
        jobs::pull_pending_tasks(kind, jobs)
    });
    m.launcher(service.claim, jobs::claim_task);
    m.launcher(service.acquire, move |jobs, request| {
        jobs::acquire_task(kind, jobs, request)
    });
    let path = service.get_run.path();
    m.open(path, Rules::CALL.for_tasks(), move |host, head, request| {
        jobs::get_run((path, kind), host, head, request)
    });
}

/// The number of the session's task: that of its run, since a run has one app at work in each
/// daemon.
fn task_id(runtime: &impl Runtime) -> u64 {
    runtime.run_id().map(u64::from).unwrap_or_default()
}

#[cfg(test)]
mod tests;
