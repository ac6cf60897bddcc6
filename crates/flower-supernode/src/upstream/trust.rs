//! Learns whom to trust: a SuperLink tells joined nodes which authorities its certificate comes from, now
//! and soon. So its CA changes without a new enrolment.
//!
//! The node asks over a connection that an authority proves which it trusts already. It adds the
//! authorities that the SuperLink names, and drops those that it names no longer. It keeps the authority
//! that proves this connection until one that the SuperLink names proves it too.

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flwr_client::joined::Joined;
use flwr_client::joining::{JoinError, Trusted, trusted};
use flwr_core::cause::chain;
use flwr_security::private_files;
use flwr_security::tls::{Certificate, ClientTls, certificates_of, is_proven_by, to_pem};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::Upstream;
use super::enrolled::Enrolled;
use super::remember::{blocking, change};

/// Between two questions, where nothing happens.
const PERIOD: Duration = Duration::from_secs(4 * 3600);
/// Until the next question, after one without an answer.
const AGAIN: Duration = Duration::from_secs(300);
/// The file by which new authorities are tried.
const TRIAL: &str = "authorities.trial";
/// A SuperLink has one authority, or two while it changes. More than this is no answer.
const MOST: usize = 16;

/// What the node needs to learn whom to trust.
#[derive(Clone, Debug)]
pub(crate) struct Learning {
    pub(crate) by: Enrolled,
    /// Asks at once.
    pub(crate) now: Arc<Notify>,
}

impl Upstream {
    /// Learns at each registration, when it is told to, and now and then. Never ends.
    pub(crate) async fn learn_trust(&self, learning: Learning) {
        let mut told = None;
        loop {
            let session = self.registration.current().await;
            let pause = match self.learn(&learning).await {
                Ok(()) => {
                    told = None;
                    PERIOD
                }
                Err(problem) => {
                    if told.as_ref() != Some(&problem) {
                        warn!(
                            "could not update the certificate authorities that the SuperLink names; the remembered ones stay in use: {problem}"
                        );
                    }
                    told = Some(problem);
                    AGAIN
                }
            };
            tokio::select! {
                () = self.registration.renewed(&session) => {}
                () = learning.now.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    async fn learn(&self, learning: &Learning) -> Result<(), String> {
        let Enrolled {
            joined,
            superlink,
            tls,
            route,
        } = &learning.by;
        let answer = match trusted(superlink, tls, route, &self.signer).await {
            Ok(answer) => answer,
            Err(JoinError::NotOffered(_)) => {
                debug!("the SuperLink does not tell its authorities");
                return Ok(());
            }
            Err(error) => return Err(chain(&error)),
        };
        let path = joined.authorities_file();
        let told = blocking(move || {
            let known = certificates_of(&path).map_err(|e| chain(&e))?;
            Ok(next(&known, &answer, OffsetDateTime::now_utc())?.map(|_| answer))
        });
        // Most answers change nothing: they need no lock.
        let Some(answer) = told.await? else {
            return Ok(());
        };
        let own = joined.clone();
        change(joined, move || keep(&own, &answer)).await
    }
}

/// Writes what has changed. Connections use the file when it is read again.
fn keep(joined: &Joined, answer: &Trusted) -> Result<(), String> {
    let path = joined.authorities_file();
    let known = certificates_of(&path).map_err(|error| chain(&error))?;
    let Some(next) = next(&known, answer, OffsetDateTime::now_utc())? else {
        return Ok(());
    };
    require_taken(joined, &next)?;
    let written = joined.trust(&next);
    written.map_err(|error| format!("{}: {error}", path.display()))?;
    for new in next.iter().filter(|new| !known.contains(new)) {
        info!(
            "trusts another authority, which the SuperLink names: {}",
            shown(new)
        );
    }
    for gone in known.iter().filter(|gone| !next.contains(gone)) {
        info!(
            "trusts an authority no longer, which the SuperLink does not name: {}",
            shown(gone)
        );
    }
    Ok(())
}

/// Whether a start takes these authorities. A file that no start takes would lock the node out.
fn require_taken(joined: &Joined, next: &[CertificateDer<'_>]) -> Result<(), String> {
    let trial = joined.dir().join(TRIAL);
    let pem = to_pem(next);
    let written = private_files::write(&trial, |file| file.write_all(pem.as_bytes()));
    let taken = written
        .map_err(|error| format!("{}: {error}", trial.display()))
        .and_then(|()| {
            let loaded = ClientTls::trusting(&trial);
            loaded
                .map_err(|error| format!("it names one that cannot be trusted: {}", chain(&error)))
        });
    // Best effort: the next trial writes over it.
    let _ = fs::remove_file(&trial);
    taken.map(drop)
}

/// Whom to trust from now on. `None`: the same as before.
fn next(
    known: &[CertificateDer<'static>],
    answer: &Trusted,
    now: OffsetDateTime,
) -> Result<Option<Vec<CertificateDer<'static>>>, String> {
    let Trusted { named, chain } = answer;
    if named.is_empty() {
        return Ok(None);
    }
    if named.len() > MOST {
        return Err(format!(
            "it names {} of them, and {MOST} at most are taken",
            named.len()
        ));
    }
    let mut expired = Vec::new();
    for named in named {
        let read = Certificate::read(named);
        let read = read.map_err(|_| "it names one that is no certificate".to_owned())?;
        if read.not_after < now {
            expired.push(named);
        }
    }
    let proves = |authority: &&CertificateDer<'_>| is_proven_by(chain, authority);
    let is_proven_anew = named.iter().any(|named| proves(&named));
    let stays =
        |known: &&CertificateDer<'_>| named.contains(known) || (!is_proven_anew && proves(known));
    let mut next: Vec<_> = known.iter().filter(stays).cloned().collect();
    for named in named {
        // What has expired proves nothing: it is not added.
        if !next.contains(named) && !expired.contains(&named) {
            next.push(named.clone());
        }
    }
    Ok((next != known).then_some(next))
}

fn shown(authority: &CertificateDer<'_>) -> String {
    Certificate::read(authority).map_or_else(|_| "unreadable".to_owned(), |read| read.subject)
}

#[cfg(test)]
mod tests {
    use flwr_client::joined::{Begun, Enrolled, Enrolments};
    use flwr_core::id::NodeId;
    use flwr_security::joining::JoinTokenId;
    use flwr_security::testing::Files;

    use super::*;

    /// Whom to trust after an answer of now.
    fn next(
        known: &[CertificateDer<'static>],
        answer: &Trusted,
    ) -> Result<Option<Vec<CertificateDer<'static>>>, String> {
        super::next(known, answer, OffsetDateTime::now_utc())
    }

    struct Ca(Files);

    impl Ca {
        fn new() -> Self {
            Self(Files::new())
        }

        fn authority(&self) -> CertificateDer<'static> {
            certificates_of(&self.0.path("ca.crt")).unwrap().remove(0)
        }

        /// What a SuperLink of this CA answers.
        fn names(&self, named: &[&Self]) -> Trusted {
            Trusted {
                named: named.iter().map(|ca| ca.authority()).collect(),
                chain: certificates_of(&self.0.path("server.pem")).unwrap(),
            }
        }
    }

    #[test]
    fn a_second_authority_is_added_and_the_first_goes_when_the_superlink_drops_it() {
        let (first, second) = (Ca::new(), Ca::new());
        let (one, two) = (first.authority(), second.authority());
        let known = [one.clone()];
        let unchanged = next(&known, &first.names(&[&first])).unwrap();
        assert_eq!(unchanged, None);
        let both = next(&known, &first.names(&[&first, &second])).unwrap();
        let both = both.unwrap();
        assert_eq!(both, [one, two.clone()]);
        // The SuperLink has its certificate from the second, and then drops the first.
        assert_eq!(
            next(&both, &second.names(&[&second, &first])).unwrap(),
            None
        );
        let last = next(&both, &second.names(&[&second])).unwrap();
        assert_eq!(last.unwrap(), [two]);
    }

    #[test]
    fn what_proves_the_connection_stays_though_it_is_not_named() {
        let (first, second) = (Ca::new(), Ca::new());
        let known = [first.authority()];
        let after = next(&known, &first.names(&[&second])).unwrap().unwrap();
        assert_eq!(after, [first.authority(), second.authority()]);
    }

    #[test]
    fn an_answer_that_names_nothing_or_nonsense_changes_nothing() {
        let ca = Ca::new();
        let known = [ca.authority()];
        assert_eq!(next(&known, &ca.names(&[])).unwrap(), None);
        let mut answer = ca.names(&[&ca]);
        answer.named.push(CertificateDer::from(vec![1, 2, 3]));
        next(&known, &answer).unwrap_err();
        answer.named = vec![ca.authority(); MOST + 1];
        next(&known, &answer).unwrap_err();
    }

    #[test]
    fn an_authority_that_has_expired_is_not_added() {
        let (first, second) = (Ca::new(), Ca::new());
        let known = [first.authority()];
        let answer = first.names(&[&first, &second]);
        assert!(next(&known, &answer).unwrap().is_some());
        let then = Certificate::read(&second.authority()).unwrap().not_after;
        let later = then + time::Duration::DAY;
        assert_eq!(super::next(&known, &answer, later).unwrap(), None);
    }

    #[test]
    fn authorities_are_tried_as_a_start_does_before_they_are_written() {
        let home = tempfile::tempdir().unwrap();
        let begun = Enrolments::below(home.path()).begin(JoinTokenId([1; 8]));
        let Begun::Pending(pending) = begun.unwrap() else {
            panic!("it has joined");
        };
        let (first, second) = (Ca::new(), Ca::new());
        let enrolled = Enrolled {
            superlink: &"superlink.example:9092".parse().unwrap(),
            node: NodeId(7),
            name: "",
            authorities: &[first.authority()],
            certificate: b"",
        };
        let joined = pending.finish(&enrolled).unwrap();
        let trusted = || certificates_of(&joined.authorities_file()).unwrap();
        let nonsense = CertificateDer::from(vec![1, 2, 3]);
        let refused = require_taken(&joined, &[first.authority(), nonsense]).unwrap_err();
        assert!(refused.contains("cannot be trusted"), "{refused}");
        assert!(!joined.dir().join(TRIAL).exists());
        keep(&joined, &first.names(&[&first, &second])).unwrap();
        assert_eq!(trusted(), [first.authority(), second.authority()]);
        assert!(!joined.dir().join(TRIAL).exists());
    }
}
