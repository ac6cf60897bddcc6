//! Methods of a wire, each with its messages. The serving and the calling half of a generation name
//! the same one, so that neither can have another path or layout than the other.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use flwr_core::port::Result;

use crate::line::{Answers, Line, Read, Sent};

/// A method, with what is asked and what is answered: once, or many times.
pub(crate) struct Rpc<Q, A> {
    path: &'static str,
    messages: PhantomData<fn(Q) -> A>,
}

impl<Q, A> Rpc<Q, A> {
    /// The method at this path, as gRPC has it: `/<package>.<service>/<method>`.
    pub(crate) const fn at(path: &'static str) -> Self {
        Self {
            path,
            messages: PhantomData,
        }
    }

    /// The same method, whose answers are laid out otherwise.
    pub(crate) const fn answered_as<B>(self) -> Rpc<Q, B> {
        Rpc::at(self.path)
    }

    /// Where the method is called.
    pub(crate) const fn path(self) -> &'static str {
        self.path
    }
}

impl<Q: Sent, A: Read> Rpc<Q, A> {
    /// Calls the method.
    pub(crate) async fn call(self, line: &impl Line, request: Q) -> Result<A> {
        line.call(self.path, request, None).await
    }

    /// Calls the method, and waits for the answer as long as `patience` says.
    pub(crate) async fn call_within(
        self,
        line: &impl Line,
        request: Q,
        patience: Duration,
    ) -> Result<A> {
        let limit = (patience != Duration::MAX).then_some(patience);
        line.call(self.path, request, limit).await
    }

    /// Calls a method that has many answers. The call ends after `limit`.
    pub(crate) async fn stream(
        self,
        line: &impl Line,
        request: Q,
        limit: Duration,
    ) -> Result<Answers<A>> {
        line.stream(self.path, request, Some(limit)).await
    }
}

impl<Q, A> Clone for Rpc<Q, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Q, A> Copy for Rpc<Q, A> {}

impl<Q, A> fmt::Debug for Rpc<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)
    }
}
