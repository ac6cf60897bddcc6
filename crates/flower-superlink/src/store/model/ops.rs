//! What can happen.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{MESSAGES, NODES};

/// One thing that happens. Nodes and messages are numbers; a message is for the node with its
/// number modulo the nodes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// A node comes, or comes again.
    Register(usize),
    /// It goes offline.
    Deactivate(usize),
    /// It says goodbye.
    Leave(usize),
    /// It gives a sign of life.
    Keep(usize),
    /// An instruction is sent, or sent again.
    Send(usize),
    /// One of its objects arrives, or arrives again.
    Arrive(usize, usize),
    /// A node asks for a message.
    Claim(usize),
    /// A call of an earlier session asks for a message of the node.
    ClaimLate(usize),
    /// The node has the instruction.
    ConfirmTaken(usize),
    /// The ServerApp has one of the replies.
    ConfirmReply(usize, bool),
    /// One of two replies is announced, by this node.
    Reply(usize, bool, usize),
    /// One of its objects arrives.
    ArriveReply(usize, bool, usize),
    /// The ServerApp asks.
    Ask(usize),
    /// It asks, and what cannot be answered any more is answered by an error.
    Settle(usize),
    /// Somebody claims the task of the ServerApp, with one of two tokens.
    ClaimTask(bool),
    /// Its token is revoked.
    Revoke,
    /// Its process is noted, or has ended.
    Process(bool),
    /// Nodes pushed and pulled so many bytes.
    Traffic(u8),
    /// A node's reply in one of two rounds says a number.
    Sample(usize, bool, u8),
    /// Time passes, in seconds.
    Wait(u16),
    /// What is over is let go.
    Expire,
    /// The run begins again.
    Rewind,
    /// The SuperLink is killed, and comes back.
    Crash,
}

/// A history: both nodes are there, mostly.
pub(super) fn history() -> impl Strategy<Value = Vec<Op>> {
    let start = vec![Op::Register(0), Op::Register(1)];
    vec(op(), 1..90).prop_map(move |ops| [start.clone(), ops].concat())
}

fn op() -> impl Strategy<Value = Op> {
    let (node, message) = (0..NODES, 0..MESSAGES);
    prop_oneof![
        1 => node.clone().prop_map(Op::Register),
        1 => node.clone().prop_map(Op::Deactivate),
        1 => node.clone().prop_map(Op::Leave),
        3 => node.clone().prop_map(Op::Keep),
        8 => message.clone().prop_map(Op::Send),
        16 => (message.clone(), 0..3_usize).prop_map(|(m, part)| Op::Arrive(m, part)),
        12 => node.clone().prop_map(Op::Claim),
        1 => node.clone().prop_map(Op::ClaimLate),
        4 => message.clone().prop_map(Op::ConfirmTaken),
        4 => (message.clone(), any::<bool>()).prop_map(|(m, which)| Op::ConfirmReply(m, which)),
        10 => (message.clone(), any::<bool>(), node).prop_map(|(m, w, by)| Op::Reply(m, w, by)),
        14 => (message.clone(), any::<bool>(), 0..3_usize)
            .prop_map(|(m, which, part)| Op::ArriveReply(m, which, part)),
        4 => message.clone().prop_map(Op::Ask),
        4 => message.prop_map(Op::Settle),
        2 => any::<bool>().prop_map(Op::ClaimTask),
        1 => Just(Op::Revoke),
        1 => any::<bool>().prop_map(Op::Process),
        2 => any::<u8>().prop_map(Op::Traffic),
        2 => (0..NODES, any::<bool>(), any::<u8>()).prop_map(|(n, r, v)| Op::Sample(n, r, v)),
        3 => prop_oneof![5..50_u16, 100..1200_u16].prop_map(Op::Wait),
        2 => Just(Op::Expire),
        1 => Just(Op::Rewind),
        3 => Just(Op::Crash),
    ]
}
