//! The methods for nodes.

use bytes::Bytes;
use flwr_core::id::NodeId;
use flwr_core::message::Parcel;
use flwr_core::port::Result;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use futures::future::BoxFuture;
use http::HeaderMap;
use prost::Message;

use super::{Handler, Request, Size, Table};
use crate::carrier::Answer;
use crate::host::{FleetHost, Head};
use crate::rpc::Rpc;
use crate::wire_name::WireName;

/// What a caller must have proven before its body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// That it holds a key, which need not be bound to a node yet.
    Key,
    /// That it is a node.
    Node,
}

/// A request whose proof needs its body.
#[derive(Debug)]
pub(crate) struct Unproven {
    pub(crate) head: Head,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Encodes a message for its node, or the answer that there is none, at this time.
pub(crate) type Encode<H> = Handler<(<H as FleetHost>::Fleet, Option<Parcel>, Timestamp)>;

/// A method of one generation.
pub(crate) enum Method<H: FleetHost> {
    /// Behind a signature.
    Signed(Signed<H>),
    /// Without a signature.
    Unsigned(Unsigned<H>),
}

/// A method without a signature. The generation makes the session, since the proof is over the
/// body.
pub(crate) struct Unsigned<H: FleetHost> {
    pub(crate) rules: OpenRules<H>,
    pub(crate) handler: Handler<(H, Unproven)>,
}

/// What holds for a method without a signature.
pub(crate) struct OpenRules<H> {
    /// Whether the call waits for a message. It ends with its caller, and has what it changes
    /// completed by the host. All other calls are completed as a whole.
    pub(crate) is_held: bool,
    /// How large a request may be.
    pub(crate) size: Size,
    /// Whether the body of a request with these headers is worth reading: what is shown there is
    /// good as far as can be seen without the body.
    pub(crate) is_welcome: fn(&H, &Head, &HeaderMap) -> Result<()>,
}

/// A method behind a signature.
pub(crate) struct Signed<H: FleetHost> {
    pub(crate) wire: WireName,
    pub(crate) rules: Rules,
    pub(crate) serve: Serve<H>,
}

/// A method by which a node begins a session. Gives the node with the answer.
pub(crate) type EntryHandler<H> = Box<
    dyn Fn(
            (<H as FleetHost>::Fleet, Request<Bytes>),
        ) -> BoxFuture<'static, Result<(Answer, NodeId)>>
        + Send
        + Sync,
>;

/// What serves a method behind a signature.
pub(crate) enum Serve<H: FleetHost> {
    /// Reads the request, calls the session, encodes the answer.
    Call(Handler<(H::Fleet, Request<Bytes>)>),
    /// The same, and the node begins a session by it.
    Entry(EntryHandler<H>),
    /// The door pulls a message for the node, and has it encoded by the generation of which the
    /// node is: of a node that has just been taken in nothing else is unknown.
    Pull {
        check: fn(&H::Fleet, Bytes) -> Result<()>,
        encode: Encode<H>,
    },
}

/// What holds for a method behind a signature.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) proof: Proof,
    /// Only nodes of this generation call it, to say that they live.
    pub(crate) is_sign_of_life: bool,
    /// Whether a body is laid out as in this generation, where two have the method.
    pub(crate) has_layout: fn(&Bytes) -> bool,
    /// How large a request may be.
    pub(crate) size: Size,
    /// What a caller is told who may not come in.
    pub(crate) turned_away: fn(Refusal) -> Refusal,
}

impl Rules {
    /// For nodes only.
    pub(crate) const NODE: Self = Self {
        proof: Proof::Node,
        is_sign_of_life: false,
        has_layout: |_| true,
        size: Size::CALL,
        turned_away: |refusal| refusal,
    };
    /// For all who hold a key that may come in.
    pub(crate) const KEY: Self = Self {
        proof: Proof::Key,
        ..Self::NODE
    };
    /// For nodes only, which are known by it.
    pub(crate) const SIGN_OF_LIFE: Self = Self {
        is_sign_of_life: true,
        ..Self::NODE
    };

    /// For bodies of this layout.
    pub(crate) const fn with_layout(self, has_layout: fn(&Bytes) -> bool) -> Self {
        Self { has_layout, ..self }
    }

    /// For requests of this size.
    pub(crate) const fn of_size(self, size: Size) -> Self {
        Self { size, ..self }
    }

    /// Nodes of no other generation call it.
    pub(crate) const fn telling(self) -> Self {
        Self {
            is_sign_of_life: true,
            ..self
        }
    }

    /// With these words for a caller who may not come in.
    pub(crate) const fn turning_away(self, turned_away: fn(Refusal) -> Refusal) -> Self {
        Self {
            turned_away,
            ..self
        }
    }
}

/// The methods of all generations.
pub(crate) type Methods<H> = Table<Method<H>>;

impl<H: FleetHost> Methods<H> {
    /// Serves a method behind a signature.
    pub(crate) fn signed<Q, A, M, F>(
        &mut self,
        wire: WireName,
        rpc: Rpc<Q, A>,
        rules: Rules,
        method: M,
    ) where
        Q: Message + Default + 'static,
        A: Message + 'static,
        M: Fn(H::Fleet, Request<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        let handler: Handler<(H::Fleet, Request<Bytes>)> = Box::new(move |(fleet, request)| {
            let method = method.clone();
            Box::pin(async move { Ok(Answer::new(method(fleet, request.decoded()?).await?)) })
        });
        self.add_signed(wire, rpc.path(), rules, Serve::Call(handler));
    }

    /// Serves a method by which a node begins a session.
    pub(crate) fn entry<Q, A, M, F>(
        &mut self,
        wire: WireName,
        rpc: Rpc<Q, A>,
        rules: Rules,
        method: M,
    ) where
        Q: Message + Default + 'static,
        A: Message + 'static,
        M: Fn(H::Fleet, Request<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<(A, NodeId)>> + Send + 'static,
    {
        let handler: EntryHandler<H> = Box::new(move |(fleet, request)| {
            let method = method.clone();
            Box::pin(async move {
                let (answer, node) = method(fleet, request.decoded()?).await?;
                Ok((Answer::new(answer), node))
            })
        });
        self.add_signed(wire, rpc.path(), rules, Serve::Entry(handler));
    }

    /// Whether nodes of this wire begin a session by a method of their own.
    pub(crate) fn has_entry_of_its_own(&self, wire: WireName) -> bool {
        let mut signed = self.all().filter_map(Method::signed);
        signed.any(|method| method.wire == wire && method.is_telling_entry())
    }

    /// Serves the method by which a node asks for a message. `check` reads the request.
    pub(crate) fn pull<Q, A, M, F>(
        &mut self,
        wire: WireName,
        rpc: Rpc<Q, A>,
        check: fn(&H::Fleet, Bytes) -> Result<()>,
        encode: M,
    ) where
        A: Message + 'static,
        M: Fn(H::Fleet, Option<Parcel>, Timestamp) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        let encode: Encode<H> = Box::new(move |(fleet, parcel, now)| {
            let encode = encode.clone();
            Box::pin(async move { Ok(Answer::new(encode(fleet, parcel, now).await?)) })
        });
        self.add_signed(wire, rpc.path(), Rules::NODE, Serve::Pull { check, encode });
    }

    /// Serves a method without a signature.
    pub(crate) fn unsigned<M, F>(&mut self, path: &'static str, rules: OpenRules<H>, method: M)
    where
        M: Fn(H, Unproven) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Answer>> + Send + 'static,
    {
        let handler: Handler<(H, Unproven)> =
            Box::new(move |(host, request)| Box::pin(method(host, request)));
        self.add(path, Method::Unsigned(Unsigned { rules, handler }));
    }

    fn add_signed(&mut self, wire: WireName, path: &'static str, rules: Rules, serve: Serve<H>) {
        self.add(path, Method::Signed(Signed { wire, rules, serve }));
    }
}

impl<H: FleetHost> Signed<H> {
    /// Whether nodes of this generation, and no others, begin a session by it.
    fn is_telling_entry(&self) -> bool {
        self.rules.is_sign_of_life && matches!(self.serve, Serve::Entry(_))
    }
}

impl<H: FleetHost> Method<H> {
    /// The method, if it is behind a signature.
    pub(crate) const fn signed(&self) -> Option<&Signed<H>> {
        match self {
            Self::Signed(signed) => Some(signed),
            Self::Unsigned(_) => None,
        }
    }

    /// The method, if it needs no signature.
    pub(crate) const fn unsigned(&self) -> Option<&Unsigned<H>> {
        match self {
            Self::Signed(_) => None,
            Self::Unsigned(unsigned) => Some(unsigned),
        }
    }
}
