//! The door for nodes that join by a token, and that renew what they joined with.
//!
//! A node that has no session yet carries its proofs in its request. All other calls are signed as those
//! of Fleet are.

use flwr_core::port::Result;
use flwr_security::peer::Peer;
use flwr_security::signature::SignatureHeaders;
use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;

use super::{Door, Opened};
use crate::carrier::{Carrier, Reader};
use crate::host::{Head, JoinHost, NodeProof, Release};
use crate::join;
use crate::methods::session::Methods;

/// The service of our own SuperNodes beside Fleet: `flower.join.Join`.
#[derive(Debug, Clone, Copy)]
pub struct Join;

impl NamedService for Join {
    const NAME: &'static str = "flower.join.Join";
}

/// What is behind the door for joining nodes.
#[derive(Debug)]
pub struct Joiners<H: JoinHost> {
    host: H,
    joining: Methods<H::Joining>,
    sessions: Methods<H::Fleet>,
}

impl<H: JoinHost> Door<Joiners<H>, Join> {
    /// The door to this host.
    #[must_use]
    pub fn new(host: H) -> Self {
        let (mut joining, mut sessions) = (Methods::default(), Methods::default());
        join::joining(&mut joining);
        join::renewing(&mut joining);
        join::node_trust(&mut sessions);
        Self::of(Joiners {
            host,
            joining,
            sessions,
        })
    }

    /// The same for a port where nodes join, and do nothing else.
    #[must_use]
    pub fn only_to_join(host: H) -> Self {
        let (mut joining, sessions) = (Methods::default(), Methods::default());
        join::joining(&mut joining);
        Self::of(Joiners {
            host,
            joining,
            sessions,
        })
    }
}

impl<H: JoinHost> Opened for Joiners<H> {
    type Host = H;

    fn host(&self) -> &H {
        &self.host
    }

    fn accept(&self, peer: Option<&Peer>) -> Result<()> {
        self.host.accept(peer)
    }

    fn reader(_: Option<Release>) -> Reader {
        Reader::Joiner
    }

    fn method(&self, path: &str) -> Option<&'static str> {
        self.joining.name(path).or_else(|| self.sessions.name(path))
    }

    async fn serve(&self, carrier: Carrier, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        let head = carrier.head(&request);
        if let Some(method) = self.joining.at(path).first() {
            let session = (&self.host, self.host.joining(&head));
            return method
                .serve_for(Reader::Joiner, session, head, request)
                .await;
        }
        let Some(method) = self.sessions.at(path).first() else {
            return carrier.unknown_method();
        };
        match self
            .admit(carrier.signature(request.headers()), &head)
            .await
        {
            Err(failure) => carrier.failed(failure, Reader::Joiner),
            Ok(node) => {
                head.admitted();
                let session = (&self.host, node);
                method
                    .serve_for(Reader::Joiner, session, head, request)
                    .await
            }
        }
    }
}

impl<H: JoinHost> Joiners<H> {
    /// The session of a node.
    async fn admit(&self, signature: Result<SignatureHeaders>, head: &Head) -> Result<H::Fleet> {
        let signature = NodeProof::Signature(signature?);
        let node = self.host.admit(signature, head).await?;
        self.host.require_node(&node)?;
        Ok(node)
    }
}
