//! The methods for app processes.

use bytes::Bytes;
use flwr_core::port::Result;
use prost::Message;

use super::{Handler, Request, Size, Table};
use crate::carrier::grpc::{Answer, decode};
use crate::host::{AppProof, Head, RuntimeHost};
use crate::rpc::Rpc;

/// A method for app processes.
pub(crate) struct Method<H: RuntimeHost> {
    pub(crate) rules: Rules,
    pub(crate) handler: Handler<(H, Head, Request<Bytes>)>,
}

/// What holds for a method.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Whether the call waits for something. It ends with its caller, and has parts that change
    /// something completed by the host. All other calls are completed as a whole.
    pub(crate) is_held: bool,
    /// Whether a body is laid out as in this generation, where two have the method.
    pub(crate) has_layout: fn(&Bytes) -> bool,
    /// How large a request may be.
    pub(crate) size: Size,
}

impl Rules {
    /// For calls that are served to their end.
    pub(crate) const CALL: Self = Self {
        is_held: false,
        has_layout: |_| true,
        size: Size::CALL,
    };
    /// For calls that wait, and end when their caller goes away.
    pub(crate) const HELD: Self = Self {
        is_held: true,
        ..Self::CALL
    };

    /// For bodies of this layout.
    pub(crate) const fn with_layout(self, has_layout: fn(&Bytes) -> bool) -> Self {
        Self { has_layout, ..self }
    }

    /// For requests of this size.
    pub(crate) const fn of_size(self, size: Size) -> Self {
        Self { size, ..self }
    }
}

/// The methods of all generations.
pub(crate) type Methods<H> = Table<Method<H>>;

impl<H: RuntimeHost> Methods<H> {
    /// Serves a method whose caller is admitted by what `proof` finds in its request.
    pub(crate) fn call<Q, A, P, M, F>(&mut self, rpc: Rpc<Q, A>, rules: Rules, proof: P, method: M)
    where
        Q: Message + Default + 'static,
        A: Message + 'static,
        P: Fn(&Q) -> AppProof + Copy + Send + Sync + 'static,
        M: Fn(H::Runtime, Request<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        self.open(
            rpc.path(),
            rules,
            move |host: H, head: Head, request: Request<Bytes>| {
                let method = method.clone();
                async move {
                    let request: Request<Q> = request.decoded()?;
                    let runtime = host.admit(proof(&request.message), &head).await?;
                    Ok(Answer::new(method(runtime, request).await?))
                }
            },
        );
    }

    /// Serves a method that asks the host itself, and opens the sessions that it needs.
    pub(crate) fn open<M, F>(&mut self, path: &'static str, rules: Rules, method: M)
    where
        M: Fn(H, Head, Request<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Answer>> + Send + 'static,
    {
        let handler: Handler<(H, Head, Request<Bytes>)> =
            Box::new(move |(host, head, request)| Box::pin(method(host, head, request)));
        self.add(path, Method { rules, handler });
    }
}

/// Reads the request of an open method.
pub(crate) fn read<Q: Message + Default>(request: Request<Bytes>) -> Result<Q> {
    decode(request.message)
}
