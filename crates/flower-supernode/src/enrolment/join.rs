//! Joining: the node tries until the SuperLink has answered.

use flwr_client::joined::{Begun, Enrolled, Joined};
use flwr_client::joining::{self, Welcome};
use flwr_client::retry::Backoff;
use flwr_security::key::PrivateKey;
use flwr_security::pki::node_request;
use tokio::time::sleep;
use tracing::{info, warn};

use super::issued::{issued, not_issued};
use super::{Error, Join};
use crate::config::JoinWay;

impl Join {
    /// Joins the SuperLink, and remembers that. The disk is waited for: nothing else goes on yet.
    ///
    /// # Errors
    /// If the SuperLink refuses, is not the one that the token names, or is given up.
    pub async fn run(&self, way: &JoinWay) -> Result<Joined, Error> {
        let pending = match self.enrolments.begin(self.token.id)? {
            Begun::Pending(pending) => pending,
            Begun::Joined(joined) => {
                told(&joined);
                return Ok(joined);
            }
        };
        // Another process may have joined since this one looked.
        self.require_place()?;
        info!(
            "joins the SuperLink at {} with token {} and key {}",
            way.address,
            self.token.id,
            pending.key.public_key().fingerprint()
        );
        let welcome = self.ask(way, &pending.key).await?;
        let certificate = &welcome.certificate;
        // A memory that no node can start with must not take the place of a good one.
        if !certificate.is_empty() && issued(certificate, pending.key.public_key()).is_none() {
            return Err(Error::Join(not_issued(&way.address).into()));
        }
        let joined = pending.finish(&Enrolled {
            superlink: &welcome.superlink,
            node: welcome.node,
            name: &welcome.name,
            authorities: &[welcome.authority],
            certificate,
        })?;
        told(&joined);
        Ok(joined)
    }

    /// Asks until there is an answer. An answer that was lost is given again: the key is the same.
    async fn ask(&self, way: &JoinWay, key: &PrivateKey) -> Result<Welcome, Error> {
        let JoinWay {
            address,
            server_name,
            route,
            persistence,
        } = way;
        let mut backoff = Backoff::new(*persistence);
        // A SuperLink that issues no client certificates ignores the request.
        let signing_request = node_request(key).map_err(Error::SigningRequest)?;
        loop {
            let name = server_name.clone();
            let request = signing_request.clone();
            let asked = joining::join(address, name, route, &self.token, key, request);
            let error = match asked.await {
                Ok(welcome) => return Ok(welcome),
                Err(error) if error.is_passing() => error,
                Err(error) => return Err(Error::Join(error.into())),
            };
            let Some(delay) = backoff.next_delay() else {
                return Err(Error::GaveUp {
                    tries: backoff.tries(),
                    source: error.into(),
                });
            };
            warn!(
                "{error} (try {}; next in {:.1} s)",
                backoff.tries(),
                delay.as_secs_f64()
            );
            sleep(delay).await;
        }
    }
}

fn told(joined: &Joined) {
    let dir = joined.dir().display();
    info!(node_id = %joined.node, "joined; the next start needs no flags: {dir} has the node's key, the SuperLink's address and whom to trust");
}
