//! App processes of flwr 1.20 to 1.22. Their token comes with inputs, messages and outputs; other
//! calls name a run. ServerApps of 1.20 have no token.

use crate::host::RuntimeHost;
use crate::methods::runtime::{Methods, Rules};
use crate::raw::has_number;

mod apps;
mod clientapps;
mod jobs;
mod serverapps;
mod tokenless;
pub mod watch;

/// Field 2 of PushMessages and PullMessages: the run, a number, in earlier releases.
const EARLIER_RUN: u32 = 2;

/// What ServerApps of this generation call.
pub(crate) fn serverapps<H: RuntimeHost>(m: &mut Methods<H>) {
    let (look, change) = (Rules::LOOK, Rules::CHANGE);
    let new = |rules: Rules| rules.with_layout(|body| !has_number(body, EARLIER_RUN));
    m.open(
        "/flwr.proto.ServerAppIo/ListAppsToLaunch",
        look,
        jobs::list_apps_to_launch,
    );
    m.open(
        "/flwr.proto.ServerAppIo/RequestToken",
        change,
        jobs::request_token,
    );
    m.open(
        "/flwr.proto.ServerAppIo/GetRunStatus",
        look,
        serverapps::get_run_status,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PullAppInputs",
        change,
        tokenless::by_inputs,
        apps::pull_app_inputs,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PushAppOutputs",
        change,
        tokenless::by_outputs,
        serverapps::push_app_outputs,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PushMessages",
        new(change),
        serverapps::by_push,
        serverapps::push_messages,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PullMessages",
        new(look),
        serverapps::by_pull,
        serverapps::pull_messages,
    );
    m.call(
        "/flwr.proto.ServerAppIo/GetNodes",
        look,
        serverapps::by_get_nodes,
        serverapps::get_nodes,
    );
    m.call(
        "/flwr.proto.ServerAppIo/GetRun",
        look,
        apps::by_get_run,
        apps::get_run,
    );
    m.call(
        "/flwr.proto.ServerAppIo/GetFab",
        look,
        serverapps::by_get_fab,
        serverapps::get_fab,
    );
    m.call(
        "/flwr.proto.ServerAppIo/UpdateRunStatus",
        change,
        serverapps::by_status,
        serverapps::update_run_status,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PushLogs",
        change,
        serverapps::by_logs,
        serverapps::push_logs,
    );
    m.call(
        "/flwr.proto.ServerAppIo/SendAppHeartbeat",
        look,
        serverapps::by_heartbeat,
        serverapps::send_app_heartbeat,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PushObject",
        change,
        apps::by_push_object,
        apps::push_object,
    );
    m.call(
        "/flwr.proto.ServerAppIo/PullObject",
        look,
        apps::by_pull_object,
        apps::pull_object,
    );
    m.call(
        "/flwr.proto.ServerAppIo/ConfirmMessageReceived",
        change,
        apps::by_confirm,
        apps::confirm_message_received,
    );
}

/// What ClientApps of this generation call.
pub(crate) fn clientapps<H: RuntimeHost>(m: &mut Methods<H>) {
    let (look, change) = (Rules::LOOK, Rules::CHANGE);
    m.open(
        "/flwr.proto.ClientAppIo/ListAppsToLaunch",
        look,
        jobs::list_apps_to_launch,
    );
    m.open(
        tokenless::LIST_APPS_TO_LAUNCH,
        look,
        jobs::list_apps_to_launch,
    );
    m.open(
        "/flwr.proto.ClientAppIo/RequestToken",
        change,
        jobs::request_token,
    );
    m.call(
        "/flwr.proto.ClientAppIo/GetRun",
        look,
        apps::by_get_run,
        apps::get_run,
    );
    m.call(
        "/flwr.proto.ClientAppIo/PullClientAppInputs",
        look,
        clientapps::by_inputs,
        apps::pull_app_inputs,
    );
    m.call(
        "/flwr.proto.ClientAppIo/PushClientAppOutputs",
        change,
        clientapps::by_outputs,
        clientapps::push_client_app_outputs,
    );
    m.call(
        "/flwr.proto.ClientAppIo/PushMessage",
        change,
        clientapps::by_push,
        clientapps::push_message,
    );
    m.call(
        "/flwr.proto.ClientAppIo/PullMessage",
        look,
        clientapps::by_pull,
        clientapps::pull_message,
    );
    m.call(
        "/flwr.proto.ClientAppIo/PushObject",
        change,
        apps::by_push_object,
        apps::push_object,
    );
    m.call(
        "/flwr.proto.ClientAppIo/PullObject",
        look,
        apps::by_pull_object,
        apps::pull_object,
    );
    m.call(
        "/flwr.proto.ClientAppIo/ConfirmMessageReceived",
        change,
        apps::by_confirm,
        apps::confirm_message_received,
    );
}
