//! App processes of flwr 1.20 to 1.29. Their token comes with inputs, messages and outputs; other calls
//! name a run. ServerApps of 1.20 have no token. Processes of 1.29 show their token in the metadata of
//! each call too.

use flwr_core::refusal::Feature;

use crate::apps as shared;
use crate::host::RuntimeHost;
use crate::methods::Size;
use crate::methods::runtime::{Methods, Rules};
use crate::raw::{has_bytes, has_number};
use crate::rpc::Rpc;

mod apps;
pub mod call;
mod clientapps;
mod jobs;
mod rpcs;
mod serverapps;
mod simulations;
mod tokenless;
pub mod watch;

/// Field 2 of PushMessages and PullMessages: the run, a number, in earlier releases.
const EARLIER_RUN: u32 = 2;
/// Field 3 of PushMessages: the object trees, in later releases.
const LATER_TREES: u32 = 3;
/// What Run says of a run with a ServerApp (flwr 1.28 and 1.29 wire).
const SERVERAPP: &str = "serverapp";
/// What Run says of the run of a ClientApp, of which nobody asks.
const UNSAID: &str = "";

/// What those call who start app processes in the daemon's place.
fn launchers<H: RuntimeHost>(
    m: &mut Methods<H>,
    lists: &[&'static str],
    request_token: &'static str,
    get_run: (&'static str, &'static str),
) {
    for path in lists {
        m.launcher(Rpc::at(path), jobs::list_apps_to_launch);
    }
    m.launcher(Rpc::at(request_token), jobs::request_token);
    m.open(get_run.0, Rules::CALL, move |host, head, request| {
        jobs::get_run(get_run, host, head, request)
    });
}

/// What ServerApps of this generation call.
pub(crate) fn serverapps<H: RuntimeHost>(m: &mut Methods<H>) {
    let call = Rules::CALL;
    let new = |rules: Rules| {
        rules.with_layout(|body| !has_number(body, EARLIER_RUN) && !has_bytes(body, LATER_TREES))
    };
    launchers(
        m,
        &["/flwr.proto.ServerAppIo/ListAppsToLaunch"],
        rpcs::REQUEST_TOKEN.path(),
        (rpcs::GET_RUN.path(), SERVERAPP),
    );
    for call in simulations::CALLS {
        m.refuse(call, Feature::Simulations);
    }
    m.open(
        rpcs::GET_RUN_STATUS.path(),
        call,
        serverapps::get_run_status,
    );
    m.call(
        rpcs::PULL_APP_INPUTS,
        call,
        tokenless::by_inputs,
        apps::pull_app_inputs,
    );
    m.call(
        rpcs::PUSH_APP_OUTPUTS,
        call.of_size(Size::OUTPUTS),
        tokenless::by_outputs,
        serverapps::push_app_outputs,
    );
    m.call(
        rpcs::PUSH_MESSAGES,
        new(call).of_size(Size::INSTRUCTIONS),
        serverapps::by_push,
        serverapps::push_messages,
    );
    m.call(
        rpcs::PULL_MESSAGES,
        new(Rules::HELD).of_size(Size::IDS),
        serverapps::by_pull,
        serverapps::pull_messages,
    );
    m.call(
        rpcs::GET_NODES,
        call,
        serverapps::by_get_nodes,
        shared::get_nodes,
    );
    m.call(
        rpcs::GET_FAB,
        call,
        serverapps::by_get_fab,
        serverapps::get_fab,
    );
    m.call(
        rpcs::UPDATE_RUN_STATUS,
        call.of_size(Size::TEXT),
        serverapps::by_status,
        serverapps::update_run_status,
    );
    m.call(
        rpcs::PUSH_LOGS,
        call.of_size(Size::CONTENT),
        serverapps::by_logs,
        shared::push_logs,
    );
    m.call(
        rpcs::SEND_APP_HEARTBEAT,
        call,
        serverapps::by_heartbeat,
        serverapps::send_app_heartbeat,
    );
    m.call(
        rpcs::OBJECTS.push,
        call.of_size(Size::CONTENT),
        apps::by_push_object,
        shared::push_object,
    );
    m.call(
        rpcs::OBJECTS.pull,
        call,
        apps::by_pull_object,
        shared::pull_object,
    );
    m.call(
        rpcs::OBJECTS.confirm,
        call,
        apps::by_confirm,
        shared::confirm_message_received,
    );
}

/// What ClientApps of this generation call.
pub(crate) fn clientapps<H: RuntimeHost>(m: &mut Methods<H>) {
    let call = Rules::CALL;
    launchers(
        m,
        &[
            "/flwr.proto.ClientAppIo/ListAppsToLaunch",
            tokenless::LIST_APPS_TO_LAUNCH,
        ],
        "/flwr.proto.ClientAppIo/RequestToken",
        ("/flwr.proto.ClientAppIo/GetRun", UNSAID),
    );
    for pull_inputs in clientapps::PULL_INPUTS {
        m.call(
            Rpc::at(pull_inputs),
            call,
            clientapps::by_inputs,
            apps::pull_app_inputs,
        );
    }
    for push_outputs in clientapps::PUSH_OUTPUTS {
        m.call(
            Rpc::at(push_outputs),
            call.of_size(Size::OUTPUTS),
            clientapps::by_outputs,
            clientapps::push_outputs,
        );
    }
    m.call(
        Rpc::at("/flwr.proto.ClientAppIo/PushMessage"),
        call.with_layout(|body| !has_bytes(body, LATER_TREES))
            .of_size(Size::INSTRUCTIONS),
        clientapps::by_push,
        clientapps::push_message,
    );
    m.call(
        Rpc::at("/flwr.proto.ClientAppIo/PullMessage"),
        Rules::HELD.of_size(Size::IDS),
        clientapps::by_pull,
        clientapps::pull_message,
    );
    m.call(
        Rpc::at("/flwr.proto.ClientAppIo/PushObject"),
        call.of_size(Size::CONTENT),
        apps::by_push_object,
        shared::push_object,
    );
    m.call(
        Rpc::at("/flwr.proto.ClientAppIo/PullObject"),
        call,
        apps::by_pull_object,
        shared::pull_object,
    );
    m.call(
        Rpc::at("/flwr.proto.ClientAppIo/ConfirmMessageReceived"),
        call,
        apps::by_confirm,
        shared::confirm_message_received,
    );
}
