//! App processes of flwr 1.20 to 1.22. Their token comes with inputs, messages and outputs; other
//! calls name a run. ServerApps of 1.20 have no token.

use crate::host::RuntimeHost;
use crate::methods::Size;
use crate::methods::runtime::{Methods, Rules};
use crate::raw::has_number;
use crate::rpc::Rpc;

mod apps;
pub mod call;
mod clientapps;
mod jobs;
mod rpcs;
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
    m.open(rpcs::REQUEST_TOKEN.path(), change, jobs::request_token);
    m.open(
        rpcs::GET_RUN_STATUS.path(),
        look,
        serverapps::get_run_status,
    );
    m.call(
        rpcs::PULL_APP_INPUTS,
        change,
        tokenless::by_inputs,
        apps::pull_app_inputs,
    );
    m.call(
        rpcs::PUSH_APP_OUTPUTS,
        change.of_size(Size::OUTPUTS),
        tokenless::by_outputs,
        serverapps::push_app_outputs,
    );
    m.call(
        rpcs::PUSH_MESSAGES,
        new(change).of_size(Size::INSTRUCTIONS),
        serverapps::by_push,
        serverapps::push_messages,
    );
    m.call(
        rpcs::PULL_MESSAGES,
        new(look).of_size(Size::IDS),
        serverapps::by_pull,
        serverapps::pull_messages,
    );
    m.call(
        rpcs::GET_NODES,
        look,
        serverapps::by_get_nodes,
        serverapps::get_nodes,
    );
    m.call(rpcs::GET_RUN, look, apps::by_get_run, apps::get_run);
    m.call(
        rpcs::GET_FAB,
        look,
        serverapps::by_get_fab,
        serverapps::get_fab,
    );
    m.call(
        rpcs::UPDATE_RUN_STATUS,
        change.of_size(Size::TEXT),
        serverapps::by_status,
        serverapps::update_run_status,
    );
    m.call(
        rpcs::PUSH_LOGS,
        change.of_size(Size::CONTENT),
        serverapps::by_logs,
        serverapps::push_logs,
    );
    m.call(
        rpcs::SEND_APP_HEARTBEAT,
        look,
        serverapps::by_heartbeat,
        serverapps::send_app_heartbeat,
    );
    m.call(
        rpcs::OBJECTS.push,
        change.of_size(Size::CONTENT),
        apps::by_push_object,
        apps::push_object,
    );
    m.call(
        rpcs::OBJECTS.pull,
        look,
        apps::by_pull_object,
        apps::pull_object,
    );
    m.call(
        rpcs::OBJECTS.confirm,
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
        Rpc::at("/flwr.proto.ClientAppIo/GetRun"),
        look,
        apps::by_get_run,
        apps::get_run,
    );
    m.call(
        Rpc::at("/flwr.proto.ClientAppIo/PullClientAppInputs"),
        look,
        clientapps::by_inputs,
        apps::pull_app_inputs,
    );
    m.call(
        Rpc::at("/flwr.proto.ClientAppIo/PushClientAppOutputs"),
        change.of_size(Size::OUTPUTS),
        clientapps::by_outputs,
        clientapps::push_client_app_outputs,
    );
    m.call(
        Rpc::at("/flwr.proto.ClientAppIo/PushMessage"),
        change.of_size(Size::INSTRUCTIONS),
        clientapps::by_push,
        clientapps::push_message,
    );
    m.call(
        Rpc::at("/flwr.proto.ClientAppIo/PullMessage"),
        look.of_size(Size::IDS),
        clientapps::by_pull,
        clientapps::pull_message,
    );
    m.call(
        Rpc::at("/flwr.proto.ClientAppIo/PushObject"),
        change.of_size(Size::CONTENT),
        apps::by_push_object,
        apps::push_object,
    );
    m.call(
        Rpc::at("/flwr.proto.ClientAppIo/PullObject"),
        look,
        apps::by_pull_object,
        apps::pull_object,
    );
    m.call(
        Rpc::at("/flwr.proto.ClientAppIo/ConfirmMessageReceived"),
        change,
        apps::by_confirm,
        apps::confirm_message_received,
    );
}
