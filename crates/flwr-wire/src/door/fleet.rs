//! The door for nodes.
//!
//! The door finds the generation of a node's request. The first match decides: the path, if one
//! generation has it; the proof (a signature, or none before flwr 1.15); the layout of the body; the
//! generation that was noted for the node. No request waits for this. A message to a node of flwr
//! 1.15 to 1.22 waits for the node's first sign of life, since its encoding is unknown until then.

use std::time::Duration;

use bytes::Bytes;
use flwr_core::id::NodeId;
use flwr_core::port::{Fleet as _, Result};
use flwr_core::refusal::{Failure, Refusal};
use flwr_security::peer::Peer;
use flwr_security::signature::{self, SignatureHeaders};
use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tracing::info;

use super::{Door, Opened};
use crate::carrier::{Answer, Carrier, Intake, Reader};
use crate::generations::{self, WireName};
use crate::host::{FleetHost, Head, NodeProof, Release, Unsigned};
use crate::in_flight::Payer;
use crate::methods::Request as Decoded;
use crate::methods::fleet::{
    self, Encode, Method, Methods, OpenRules, Proof, Rules, Serve, Signed, Unproven,
};

/// How long a message waits for the first sign of life of its node. Nodes of flwr 1.15 to 1.22
/// give one within a second of their registration.
const NODE_FIRST_HEARTBEAT: Duration = Duration::from_secs(3);

/// The service of nodes.
#[derive(Debug, Clone, Copy)]
pub struct Fleet;

impl NamedService for Fleet {
    const NAME: &'static str = "flwr.proto.Fleet";
}

/// What is behind the door for nodes.
#[derive(Debug)]
pub struct Nodes<H: FleetHost> {
    host: H,
    methods: Methods<H>,
}

impl<H: FleetHost> Door<Nodes<H>, Fleet> {
    /// The door to this host.
    #[must_use]
    pub fn new(host: H) -> Self {
        let methods = generations::fleet();
        Self::of(Nodes { host, methods })
    }
}

impl<H: FleetHost> Opened for Nodes<H> {
    type Host = H;

    fn host(&self) -> &H {
        &self.host
    }

    fn accept(&self, peer: Option<&Peer>) -> Result<()> {
        self.host.accept(peer)
    }

    fn reader(release: Option<Release>) -> Reader {
        Reader::Node(release)
    }

    fn method(&self, path: &str) -> Option<&'static str> {
        self.methods.name(path)
    }

    async fn serve(&self, carrier: Carrier, request: Request<Body>) -> Response<Body> {
        let methods = self.methods.at(request.uri().path());
        match carrier {
            Carrier::Grpc => self.serve_grpc(methods, request).await,
            Carrier::Http => self.serve_http(methods, request).await,
        }
    }
}

impl<H: FleetHost> Nodes<H> {
    async fn serve_grpc(&self, methods: &[Method<H>], request: Request<Body>) -> Response<Body> {
        if let Some(method) = methods.iter().find_map(Method::unsigned)
            && !signature::is_signed(request.headers())
        {
            return match self.host.unsigned() {
                Unsigned::Closed => {
                    let refusal = Refusal::UnsignedNotServed;
                    Carrier::Grpc.turned_away(refusal.into(), Reader::Node(None))
                }
                _ => self.serve_unsigned(method, request).await,
            };
        }
        match methods.iter().find_map(Method::signed) {
            None => Carrier::Grpc.unknown_method(),
            Some(newest) => {
                self.serve_signed((methods, newest), Carrier::Grpc, request)
                    .await
            }
        }
    }

    async fn serve_http(&self, methods: &[Method<H>], request: Request<Body>) -> Response<Body> {
        let carrier = Carrier::Http;
        let mut signed = methods.iter().filter_map(Method::signed);
        let Some(newest) = signed.find(|method| method.wire.is_over_http()) else {
            return carrier.unknown_method();
        };
        let accepted = carrier.accept(&request);
        if let Err(refused) = accepted.and_then(|()| carrier.accept_content(&request)) {
            return *refused;
        }
        self.serve_signed((methods, newest), carrier, request).await
    }

    async fn serve_signed(
        &self,
        (methods, newest): (&[Method<H>], &Signed<H>),
        carrier: Carrier,
        request: Request<Body>,
    ) -> Response<Body> {
        let head = carrier.head(&request);
        let signature = carrier.signature(request.headers());
        let admitted = match signature {
            Ok(signature) => self.admit(signature, &head, &newest.rules).await,
            Err(failure) => Err(failure),
        };
        match admitted {
            Err(failure) => carrier.failed(failure, Reader::Node(head.release)),
            Ok(fleet) => {
                // Who has a key only has no node yet, and gets one by the call.
                if fleet.node().is_some() {
                    head.admitted();
                }
                let intake = self.intake(methods, fleet.node(), &head);
                let answer = |body| self.answer(methods, newest, fleet, head, body);
                carrier.unary(intake, request, answer).await
            }
        }
    }

    async fn serve_unsigned(
        &self,
        method: &fleet::Unsigned<H>,
        request: Request<Body>,
    ) -> Response<Body> {
        let carrier = Carrier::Grpc;
        let (head, headers) = (carrier.head(&request), request.headers().clone());
        let OpenRules {
            size, is_welcome, ..
        } = &method.rules;
        if let Err(failure) = is_welcome(&self.host, &head, &headers) {
            return carrier.failed(failure, Reader::App);
        }
        let intake = Intake {
            in_flight: self.host.in_flight(),
            payer: Payer::of(None, &head),
            limit: size.bytes,
            reader: Reader::App,
        };
        let answer = |body: Bytes| async {
            size.check(&body)?;
            let unproven = Unproven {
                head: head.clone(),
                headers,
                body,
            };
            let answer = self.serve_unproven(method, unproven).await?;
            head.admitted();
            Ok(answer)
        };
        carrier.unary(intake, request, answer).await
    }

    /// What a request of these methods may be, which all have the same path.
    fn intake(&self, methods: &[Method<H>], node: Option<NodeId>, head: &Head) -> Intake<'_> {
        let signed = methods.iter().filter_map(Method::signed);
        Intake {
            in_flight: self.host.in_flight(),
            payer: Payer::of(node, head),
            limit: signed
                .map(|method| method.rules.size.bytes)
                .max()
                .unwrap_or(0),
            reader: Reader::Node(head.release),
        }
    }

    async fn serve_unproven(
        &self,
        method: &fleet::Unsigned<H>,
        request: Unproven,
    ) -> Result<Answer> {
        let answer = (method.handler)((self.host.clone(), request));
        if method.rules.is_held {
            return answer.await;
        }
        self.host.complete(answer).await
    }

    /// Opens the session of a caller that signs.
    async fn admit(
        &self,
        signature: SignatureHeaders,
        head: &Head,
        rules: &Rules,
    ) -> Result<H::Fleet> {
        let signature = NodeProof::Signature(signature);
        let admitted = self.host.admit(signature, head).await;
        let fleet = admitted.map_err(|failure| match failure {
            Failure::Refused(refusal) => (rules.turned_away)(refusal).into(),
            failure => failure,
        })?;
        if rules.proof == Proof::Node {
            self.host.require_node(&fleet)?;
        }
        Ok(fleet)
    }

    /// Answers a call that one of these methods is for. They all have the same path.
    async fn answer(
        &self,
        methods: &[Method<H>],
        newest: &Signed<H>,
        fleet: H::Fleet,
        head: Head,
        body: Bytes,
    ) -> Result<Answer> {
        let method = self.chosen(methods, newest, fleet.node(), &body).await?;
        method.rules.size.check(&body)?;
        match &method.serve {
            Serve::Entry(handler) => {
                let request = Decoded::new(body, &head, &self.host);
                let entered = self.host.complete(handler((fleet, request))).await;
                let (answer, node) = entered?;
                self.entered(node, method).await?;
                head.admitted();
                Ok(answer)
            }
            Serve::Call(handler) => {
                if let (true, Some(node)) = (method.rules.is_sign_of_life, fleet.node()) {
                    self.hear(node, method.wire).await?;
                }
                let request = Decoded::new(body, &head, &self.host);
                let answer = self.host.complete(handler((fleet, request))).await?;
                head.admitted();
                Ok(answer)
            }
            Serve::Pull { check, encode } => {
                check(&fleet, body)?;
                let parcel = fleet.pull(head.patience).await?;
                let encode = match (&parcel, fleet.node()) {
                    (Some(_), Some(node)) => self.encoder(methods, node).await?.unwrap_or(encode),
                    _ => encode,
                };
                // The instruction may turn out to be one that cannot be given, and is answered then.
                let answer = encode((fleet, parcel, self.host.now()));
                self.host.complete(answer).await
            }
        }
    }

    /// The method of the generation that the call is of. They all have the same path. The layout of the
    /// body decides; where it is the same, what was noted of the node.
    async fn chosen<'a>(
        &self,
        methods: &'a [Method<H>],
        newest: &'a Signed<H>,
        node: Option<NodeId>,
        body: &Bytes,
    ) -> Result<&'a Signed<H>> {
        let signed = methods.iter().filter_map(Method::signed);
        let of_layout = signed.filter(|method| (method.rules.has_layout)(body));
        let mut of_layout: Vec<_> = of_layout.collect();
        if let (Some(node), 2..) = (node, of_layout.len()) {
            let noted = self.host.noted(node).await?.unwrap_or(generations::ASSUMED);
            let of = |wire| of_layout.iter().position(|method| method.wire == wire);
            if let Some(at) = of(noted).or_else(|| of(generations::ASSUMED)) {
                of_layout.swap(0, at);
            }
        }
        Ok(of_layout.first().copied().unwrap_or(newest))
    }

    /// The node has begun a session by this method.
    async fn entered(&self, node: NodeId, method: &Signed<H>) -> Result<()> {
        if method.rules.is_sign_of_life {
            return self.hear(node, method.wire).await;
        }
        // Several generations enter by it. Whoever has an entry of its own is none of them any more.
        match self.host.noted(node).await? {
            Some(noted) if self.methods.has_entry_of_its_own(noted) => {
                self.host.note(node, method.wire).await
            }
            _ => Ok(()),
        }
    }

    /// Only the first sign of life since the node was taken in, or since the host started, tells
    /// anything new.
    async fn hear(&self, node: NodeId, wire: WireName) -> Result<()> {
        if self.host.was_heard(node) {
            return Ok(());
        }
        let noted = self.host.noted(node).await?;
        if noted.unwrap_or(generations::ASSUMED) != wire {
            info!(node_id = %node, wire = wire.0, "the SuperNode speaks another wire than before");
            self.host.note(node, wire).await?;
        }
        self.host.hear(node);
        Ok(())
    }

    /// What encodes a message for this node.
    async fn encoder<'a>(
        &self,
        methods: &'a [Method<H>],
        node: NodeId,
    ) -> Result<Option<&'a Encode<H>>> {
        self.host.settled(node, NODE_FIRST_HEARTBEAT).await;
        let noted = self.host.noted(node).await?;
        let wire = noted.unwrap_or(generations::ASSUMED);
        let mut signed = methods.iter().filter_map(Method::signed);
        let method = signed.find(|method| method.wire == wire);
        Ok(method.and_then(|method| match &method.serve {
            Serve::Pull { encode, .. } => Some(encode),
            Serve::Call(_) | Serve::Entry(_) => None,
        }))
    }
}
