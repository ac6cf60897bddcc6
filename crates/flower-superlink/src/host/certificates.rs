//! The client certificates of nodes that have joined: issued here, and good as long as their nodes are
//! registered with the same key.

use bytes::Bytes;
use flwr_core::cause::chain;
use flwr_core::id::NodeId;
use flwr_core::port::Result;
use flwr_core::refusal::{Failure, JoinRefusal, Refusal};
use flwr_daemon::listen::IssuedCertificates;
use flwr_security::key::PublicKey;
use flwr_security::pki::IssueError;
use flwr_security::tls::Issued;
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tracing::{error, info};

use super::{Host, JoinPlace};

impl IssuedCertificates for Host {
    fn objection(&self, issued: &Issued) -> Option<String> {
        let is_in_force = self.link().is_in_force(issued);
        (!is_in_force).then(|| {
            "its SuperNode was unregistered (`flwr supernode unregister`), or has another key"
                .to_owned()
        })
    }
}

impl JoinPlace {
    /// Checks that a node with this request gets a certificate for its key, where certificates are
    /// issued.
    ///
    /// # Errors
    /// If the request is none for this key, or the CA's certificate has expired.
    pub(super) fn check_request(&self, request: &[u8], key: &PublicKey) -> Result<()> {
        let Some(authority) = &self.authority else {
            return Ok(());
        };
        let checked = authority.check(request, key, OffsetDateTime::now_utc());
        checked.map_err(refused)
    }

    /// Issues a certificate (PEM) to the node. Empty: none are issued here.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) async fn certify(
        &self,
        request: Bytes,
        key: PublicKey,
        node: NodeId,
    ) -> Result<Bytes> {
        let Some(authority) = self.authority.clone() else {
            return Ok(Bytes::new());
        };
        let fingerprint = key.fingerprint();
        // A signature of an RSA key takes milliseconds.
        let issue = move || authority.issue(&request, &key, node, OffsetDateTime::now_utc());
        let issued = spawn_blocking(issue).await;
        let issued = issued.map_err(|panicked| Failure::TryAgain(panicked.to_string()))?;
        let pem = issued.map_err(refused)?;
        info!(node_id = %node, key = fingerprint, "client certificate issued");
        Ok(pem.into())
    }
}

fn refused(why: IssueError) -> Failure {
    if let IssueError::Request(problem) = why {
        return Refusal::field("signing_request", problem).into();
    }
    let why = chain(&why);
    error!("no client certificate can be issued (--node-ca-certfile): {why}");
    JoinRefusal::CertificateNotIssued.into()
}
