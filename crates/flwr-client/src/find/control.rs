//! Finds out by which name a SuperLink serves Control, and remembers the name for the session.
//!
//! A SuperLink of flwr 1.21 and later serves Control. One of 1.20 and earlier serves the same methods
//! as Exec.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flwr_core::port::Result;
use flwr_core::refusal::Failure;
use flwr_wire::generations::v1_10_control::call::{ControlOver, control_over};
use flwr_wire::generations::v1_10_control::exec_path;

use crate::line::{Answers, Line, Read, Sent};

/// Control at the other end of a line, under the name that is served there.
pub type FoundControl<L> = ControlOver<ControlLine<L>>;

/// Control over this line, and what is known of the other end.
#[must_use]
pub fn control<L: Line>(line: L) -> (FoundControl<L>, Found) {
    let found = Found::default();
    let line = ControlLine {
        line,
        found: found.clone(),
    };
    (control_over(line), found)
}

/// What is known of the other end. Clones share the knowledge.
#[derive(Debug, Clone, Default)]
pub struct Found {
    is_exec: Arc<AtomicBool>,
}

impl Found {
    /// Whether the SuperLink serves Exec: flwr 1.20 or earlier. False until the first answer.
    #[must_use]
    pub fn is_exec(&self) -> bool {
        self.is_exec.load(Ordering::Relaxed)
    }
}

/// A line to Control or Exec. It calls a method by the name of the known service, and by the other
/// one's if the SuperLink does not know the method: such a call was not carried out, so it can be
/// made again.
#[derive(Debug, Clone)]
pub struct ControlLine<L> {
    line: L,
    found: Found,
}

impl<L: Line> ControlLine<L> {
    async fn by_name<Q: Sent, T, F: Future<Output = Result<T>>>(
        &self,
        path: &'static str,
        message: Q,
        call: impl Fn(&'static str, Q) -> F,
    ) -> Result<T> {
        let Some(exec) = exec_path(path) else {
            return call(path, message).await;
        };
        if !self.found.is_exec() {
            let answer = call(path, message.clone()).await;
            if !answer.as_ref().is_err_and(Failure::is_unknown_method) {
                return answer;
            }
        }
        let answer = call(exec, message).await;
        if answer.is_ok() {
            self.found.is_exec.store(true, Ordering::Relaxed);
        }
        answer
    }
}

impl<L: Line> Line for ControlLine<L> {
    async fn call<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        limit: Option<Duration>,
    ) -> Result<A> {
        let call = |path, message| self.line.call(path, message, limit);
        self.by_name(path, message, call).await
    }

    async fn stream<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        limit: Option<Duration>,
    ) -> Result<Answers<A>> {
        let call = |path, message| self.line.stream(path, message, limit);
        self.by_name(path, message, call).await
    }
}

#[cfg(test)]
mod tests;
