//! flwr 1.8 to 1.14: messages are tasks. Requests carry no signature: nodes show an HMAC of a
//! secret that they share with the SuperLink, or nothing.

use std::sync::Arc;

use super::WireName;
use crate::host::{FleetHost, ServerAppHost};
use crate::methods::fleet::Unproven;
use crate::methods::runtime::Rules;
use crate::methods::{Size, fleet, runtime};

mod admission;
mod apps;
mod canonical;
mod driver;
mod layout;
mod newcomers;
mod nodes;
mod records;
mod secret;
mod task;

pub use secret::{PUBLIC_KEY_HEADER, TOKEN_HEADER, public_key_text};

use apps::{Apps, By};
use nodes::Nodes;

/// A node whose numbering of records is not known yet: its first reply tells.
const ANY: WireName = WireName("tasks");
/// A node of flwr 1.8 to 1.11.
const UNTIL_11: WireName = WireName("tasks-1.11");
/// A node of flwr 1.12 to 1.14.
const FROM_12: WireName = WireName("tasks-1.12");
/// What the state notes beside nodes of this generation.
pub const NAMES: &[WireName] = &[ANY, UNTIL_11, FROM_12];
/// Their nodes sign no requests: they show a key only where a list asks for keys.
pub const IS_SIGNED: bool = false;
/// They speak over gRPC alone.
pub(crate) const IS_OVER_HTTP: bool = false;

/// What nodes of this generation call.
pub(crate) fn fleet<H: FleetHost>(m: &mut fleet::Methods<H>) {
    let nodes = Arc::new(Nodes::default());
    for (path, method) in nodes::METHODS {
        let nodes = Arc::clone(&nodes);
        m.unsigned(path, method.rules(), move |host: H, request: Unproven| {
            let nodes = Arc::clone(&nodes);
            async move { nodes.answer(method, &host, request).await }
        });
    }
}

/// What ServerApps of this generation call.
pub(crate) fn serverapps<H: ServerAppHost>(m: &mut runtime::Methods<H>) {
    let apps = Arc::new(Apps::default());
    let services = [
        (
            By::ServerAppIo,
            "/flwr.proto.ServerAppIo/PushTaskIns",
            "/flwr.proto.ServerAppIo/PullTaskRes",
        ),
        (
            By::Driver,
            "/flwr.proto.Driver/PushTaskIns",
            "/flwr.proto.Driver/PullTaskRes",
        ),
    ];
    for (by, push, pull) in services {
        let pushing = Arc::clone(&apps);
        m.open(
            push,
            Rules::CALL.of_size(Size::TASKS),
            move |host, head, request| {
                let apps = Arc::clone(&pushing);
                async move { apps.push_task_ins(by, host, head, request).await }
            },
        );
        let pulling = Arc::clone(&apps);
        m.open(
            pull,
            Rules::HELD.of_size(Size::IDS),
            move |host, head, request| {
                let apps = Arc::clone(&pulling);
                async move { apps.pull_task_res(by, host, head, request).await }
            },
        );
    }
    m.open(
        "/flwr.proto.Driver/CreateRun",
        Rules::CALL.of_size(Size::FAB),
        driver::create_run,
    );
    m.open(
        "/flwr.proto.Driver/GetNodes",
        Rules::CALL,
        driver::get_nodes,
    );
    m.open(
        "/flwr.proto.Driver/GetRun",
        Rules::CALL,
        move |host, head, request| {
            let apps = Arc::clone(&apps);
            async move { driver::get_run(&apps, host, head, request).await }
        },
    );
    m.open("/flwr.proto.Driver/GetFab", Rules::CALL, driver::get_fab);
}
