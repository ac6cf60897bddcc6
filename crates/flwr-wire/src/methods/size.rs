//! How large the request of a method may be.

use flwr_core::port::Result;
use flwr_core::refusal::Refusal;
use flwr_core::size::Size as Shown;
use flwr_proto::MAX_MESSAGE_BYTES;

use super::session::MAX_CONTROL_BYTES;
use crate::parts::{
    FLAT, INLINE_MESSAGES, INLINE_OUTPUTS, Layout, MESSAGES, OUTPUTS, TASK_OUTPUT, TASKS,
};

/// Parts of a request that carries content, at most: they take a gigabyte once they are decoded.
const MOST_PARTS: usize = 1 << 23;
/// The same, for requests that carry none.
const FEW_PARTS: usize = 1 << 20;

/// How large the request of a method may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Its bytes. They are refused before they are read.
    pub(crate) bytes: usize,
    parts: usize,
    layout: &'static Layout,
}

impl Size {
    /// For calls that carry ids and numbers.
    pub(crate) const CALL: Self = Self {
        bytes: 64 << 10,
        parts: FEW_PARTS,
        layout: &FLAT,
    };
    /// For calls with a text, such as the traceback of a run that failed.
    pub(crate) const TEXT: Self = Self {
        bytes: 4 << 20,
        ..Self::CALL
    };
    /// For lists of ids: a ServerApp asks for the replies of all its nodes at once.
    pub(crate) const IDS: Self = Self {
        bytes: 64 << 20,
        ..Self::CALL
    };
    /// For a FAB with its configuration.
    pub(crate) const FAB: Self = Self {
        bytes: MAX_CONTROL_BYTES,
        ..Self::CALL
    };
    /// For an object, or lines of a log.
    pub(crate) const CONTENT: Self = Self {
        bytes: MAX_MESSAGE_BYTES,
        ..Self::CALL
    };
    /// For a reply whose content travels as objects: the largest tree takes 20 MiB.
    pub(crate) const REPLY: Self = Self {
        bytes: 32 << 20,
        parts: MOST_PARTS,
        layout: &MESSAGES,
    };
    /// For instructions whose content travels as objects.
    pub(crate) const INSTRUCTIONS: Self = Self {
        bytes: MAX_MESSAGE_BYTES,
        ..Self::REPLY
    };
    /// For messages with their content.
    pub(crate) const INLINE_MESSAGES: Self = Self {
        layout: &INLINE_MESSAGES,
        ..Self::INSTRUCTIONS
    };
    /// For tasks.
    pub(crate) const TASKS: Self = Self {
        layout: &TASKS,
        ..Self::INSTRUCTIONS
    };
    /// For the Context that an app leaves.
    pub(crate) const OUTPUTS: Self = Self {
        layout: &OUTPUTS,
        ..Self::INSTRUCTIONS
    };
    /// For the Context that a task leaves.
    pub(crate) const TASK_OUTPUT: Self = Self {
        layout: &TASK_OUTPUT,
        ..Self::INSTRUCTIONS
    };
    /// For the Context that a ServerApp of flwr 1.15 to 1.18 leaves.
    pub(crate) const INLINE_OUTPUTS: Self = Self {
        layout: &INLINE_OUTPUTS,
        ..Self::INSTRUCTIONS
    };

    /// Checks a body, before it is decoded.
    ///
    /// # Errors
    /// If it is larger, or has more parts.
    pub(crate) fn check(&self, body: &[u8]) -> Result<()> {
        if body.len() > self.bytes {
            let most = Shown(self.bytes as u64);
            let text = format!("it is larger than {most}, the most that this call may have");
            return Err(Refusal::Unreadable(text).into());
        }
        self.layout.check(body, self.parts)
    }
}
