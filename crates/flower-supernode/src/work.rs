//! A message's life on this node: pulled, given to the ClientApp, answered, forgotten. One
//! message at a time.
//!
//! - [`inbox`] — the instruction, with all that the ClientApp needs for it
//! - [`outbox`] — the reply, as the ClientApp delivers it
//! - [`desk`] — where both lie while the ClientApp works, and whose token opens them
//! - [`lease`] — how long the ClientApp may be silent
//! - [`runs`] — what is kept of a run from one message to the next
//! - [`worker`] — the loop, and [`attend`]: what it does for one message
//! - [`kept`] — replies of an earlier process of this node, and [`again`]: messages that were given
//!   up and are tried again

mod abandoned;
mod again;
mod attend;
mod desk;
mod inbox;
mod kept;
mod lease;
mod outbox;
mod runs;
mod sweep;
mod worker;

pub(crate) use desk::{Desk, Job};
pub(crate) use worker::{Worker, WorkerParts};
#[cfg(test)]
pub(crate) use {inbox::Inbox, outbox::Outbox, outbox::Progress, runs::RunInputs};
