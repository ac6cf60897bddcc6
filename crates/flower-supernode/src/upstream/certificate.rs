//! The node's client certificate. A node that has joined renews the certificate that the SuperLink issued
//! to it, from two thirds of its life on. Whenever the certificate changes, later calls use it.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flwr_client::joined::Joined;
use flwr_client::joining::renew_certificate;
use flwr_core::cause::chain;
use flwr_daemon::clock::Clock;
use flwr_daemon::renew::Renewable;
use flwr_security::key::{PrivateKey, PublicKey};
use flwr_security::pki::node_request;
use flwr_security::tls::{Certificate, ClientTls, Dated};
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::time::sleep;
use tracing::{info, warn};

use super::Upstream;
use super::enrolled::Enrolled;
use super::remember::{blocking, change};
use crate::enrolment::{NOT_ISSUED, issued};

/// Between two looks at the calendar, which may be set.
const LOOK: Duration = Duration::from_secs(600);
/// Until the next try, after one without a certificate.
const AGAIN: Duration = Duration::from_secs(300);

/// What the node needs to renew its certificate.
#[derive(Clone, Debug)]
pub(crate) struct Renewing {
    pub(crate) by: Enrolled,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The files of TLS. When the client certificate in them has changed, a new connection is made.
pub(crate) struct TlsFiles {
    tls: ClientTls,
    upstream: Upstream,
    in_use: Mutex<Option<Certificate>>,
}

impl TlsFiles {
    pub(crate) fn new(tls: ClientTls, upstream: Upstream) -> Self {
        let in_use = Mutex::new(tls.certificate());
        Self {
            tls,
            upstream,
            in_use,
        }
    }
}

impl Renewable for TlsFiles {
    fn paths(&self) -> Vec<PathBuf> {
        self.tls.paths()
    }

    fn renew(&self) -> Result<String, Box<dyn Error + Send + Sync>> {
        let text = self.tls.renew()?;
        let now = self.tls.certificate();
        let before = std::mem::replace(&mut *self.in_use.lock(), now.clone());
        if before != now {
            self.upstream.channel.replace();
        }
        Ok(text)
    }

    fn dated(&self) -> Vec<Dated> {
        self.tls.dated()
    }
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsFiles").field(&self.tls).finish()
    }
}

/// When a certificate is renewed: when two thirds of its life are over.
fn due(certificate: &Certificate) -> OffsetDateTime {
    let Certificate {
        not_before,
        not_after,
        ..
    } = certificate;
    *not_before + (*not_after - *not_before) * 2 / 3
}

impl Upstream {
    /// Renews the certificate whenever it is due. Never ends.
    pub(crate) async fn keep_certified(&self, renewing: Renewing) {
        let mut told = None;
        loop {
            let certificate = renewing.by.tls.certificate();
            let is_due = certificate.is_some_and(|own| due(&own) <= renewing.clock.date_time());
            if !is_due {
                sleep(LOOK).await;
                continue;
            }
            // The SuperLink knows the node by then.
            self.registration.current().await;
            match self.renew_certificate(&renewing).await {
                Ok(until) => {
                    told = None;
                    info!("client certificate renewed, until {}", until.date());
                }
                Err(problem) => {
                    if told.as_ref() != Some(&problem) {
                        warn!("could not renew the client certificate: {problem}");
                    }
                    told = Some(problem);
                    sleep(AGAIN).await;
                }
            }
        }
    }

    async fn renew_certificate(&self, renewing: &Renewing) -> Result<OffsetDateTime, String> {
        let Renewing { by, clock } = renewing;
        let Enrolled {
            joined,
            superlink,
            tls,
            route,
        } = by;
        let path = joined.key_file();
        let request = blocking(move || {
            let key = PrivateKey::from_file(&path).map_err(|error| chain(&error))?;
            let request = node_request(&key).map_err(|error| chain(&error))?;
            Ok((key.public_key().clone(), request))
        });
        let (key, request) = request.await?;
        let answer = renew_certificate(superlink, tls, route, &self.signer, request).await;
        let pem = answer.map_err(|error| chain(&error))?;
        let issued = issued(&pem, &key)
            .ok_or_else(|| format!("the SuperLink at {superlink} answers with {NOT_ISSUED}"))?;
        if due(&issued) <= clock.date_time() {
            return Err(format!(
                "the SuperLink's new one is valid until {} only: the clocks differ, or its CA expires",
                issued.not_after.date()
            ));
        }
        let (own, tls) = (joined.clone(), tls.clone());
        change(joined, move || {
            let joined = own;
            require_key(&joined, &key)?;
            let written = joined.certify(&pem);
            let path = joined.certificate_file();
            written.map_err(|error| format!("{}: {error}", path.display()))?;
            tls.reload().map_err(|error| chain(&error))
        })
        .await?;
        self.channel.replace();
        Ok(issued.not_after)
    }
}

/// Whether the key of this file is still the one that the certificate is for: `key renew` has brought the
/// new key its own certificate.
fn require_key(joined: &Joined, certified: &PublicKey) -> Result<(), String> {
    let key = PrivateKey::from_file(&joined.key_file()).map_err(|error| chain(&error))?;
    if key.public_key() != certified {
        return Err("the node's key was renewed meanwhile".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use flwr_client::joined::{Begun, Enrolled, Enrolments};
    use flwr_core::id::NodeId;
    use flwr_security::joining::JoinTokenId;
    use flwr_security::pki::{Authority, NodeAuthority};
    use flwr_security::testing::Files;
    use time::Duration;

    use super::*;

    #[test]
    fn a_certificate_is_due_after_two_thirds_of_its_life() {
        let files = Files::new();
        let ca = Authority::make("Nodes", 365, None).unwrap();
        let ca = NodeAuthority::load(
            &files.write("nodes.crt", &ca.certificate),
            &files.write("nodes.key", &ca.key),
        );
        let key = PrivateKey::generate().unwrap();
        let (request, now) = (node_request(&key).unwrap(), OffsetDateTime::now_utc());
        let issued = ca
            .unwrap()
            .issue(&request, key.public_key(), NodeId(7), now);
        let issued = super::issued(issued.unwrap().as_bytes(), key.public_key()).unwrap();
        let due = due(&issued);
        assert!(
            due > now + Duration::days(19) && due < now + Duration::days(21),
            "{due}"
        );
    }

    #[test]
    fn a_certificate_for_the_old_key_is_not_written_over_that_of_the_new_one() {
        let home = tempfile::tempdir().unwrap();
        let begun = Enrolments::below(home.path()).begin(JoinTokenId([1; 8]));
        let Begun::Pending(pending) = begun.unwrap() else {
            panic!("it has joined");
        };
        let old = pending.key.public_key().clone();
        let enrolled = Enrolled {
            superlink: &"superlink.example:9092".parse().unwrap(),
            node: NodeId(7),
            name: "",
            authorities: &[],
            certificate: b"",
        };
        let joined = pending.finish(&enrolled).unwrap();
        require_key(&joined, &old).unwrap();
        let new = PrivateKey::generate().unwrap();
        new.write_openssh_pair(&joined.key_file(), true).unwrap();
        let told = require_key(&joined, &old).unwrap_err();
        assert!(told.contains("renewed"), "{told}");
        require_key(&joined, new.public_key()).unwrap();
    }
}
