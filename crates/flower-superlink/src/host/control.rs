//! People: who is admitted, and what a session does.

use std::net::IpAddr;
use std::sync::Arc;

use flwr_core::id::{NodeId, RunId};
use flwr_core::port::control::{
    Federation, LogEntry, LogReader, Login, NewNode, Nodes, RunFilter, Runs, Start, Tokens, Usage,
    WholeFederation,
};
use flwr_core::port::{Control, Result, SignIn};
use flwr_core::refusal::{Failure, Feature, Refusal};
use flwr_core::run::Run;
use flwr_core::time::Timestamp;
use flwr_security::key::{PublicKey, spki_to_pem};
use flwr_wire::host::{AccountProof, Admission, ControlHost, Head};

use super::{Host, JoinPlace};
use crate::accounts::{Accounts, Admitted, Turned};
use crate::auth::Policy;
use crate::error::Error;
use crate::link::{Label, Link, Principal, Space};

mod shown;
mod tokens;

/// A person's session. Only [`Host`] makes sessions, each for the principal that it has admitted.
#[derive(Debug, Clone)]
pub struct ControlSession {
    link: Arc<Link>,
    principal: Principal,
    policy: Policy,
    joining: JoinPlace,
}

/// The log of a run, for a person who may read it.
#[derive(Debug)]
pub struct LogSession {
    link: Arc<Link>,
    run: RunId,
    after: Timestamp,
}

/// The login of a person.
#[derive(Debug, Clone)]
pub struct SignInSession {
    accounts: Option<Arc<Accounts>>,
    /// Where the person is.
    address: Option<IpAddr>,
}

/// A person who names an unknown run mistyped its id. A peer that does so has lost its run, and gets
/// another answer.
fn for_people(error: Error) -> Failure {
    match error {
        Error::Refused(Refusal::UnknownRun(run)) => Refusal::RunNotFound(run).into(),
        error => error.into(),
    }
}

/// A person does not ask again and again, as peers do: what keeps a change from being stored is told.
fn for_changes(error: Error) -> Failure {
    let is_of_storage = matches!(error, Error::State(_) | Error::Bytes(_));
    match for_people(error) {
        Failure::TryAgain(why) if is_of_storage => Refusal::NotStored(why).into(),
        failure => failure,
    }
}

impl ControlSession {
    /// The run, if the person may look at it.
    async fn own_run(&self, run: RunId) -> Result<Run> {
        let run = self.link.run_of(&self.principal, run).await;
        run.map_err(for_people)
    }

    /// The run, with what it waits for among the details of its status. pip's `flwr` shows none.
    fn shown(&self, mut run: Run) -> Run {
        if let Some(waits) = self.link.waits(run.id)
            && run.status.details.is_empty()
        {
            run.status.details = waits.to_string();
        }
        run
    }
}

impl Control for ControlSession {
    type Log = LogSession;

    async fn start(&self, start: Start) -> Result<Option<RunId>> {
        let run = self.link.start(start, &self.principal).await;
        Ok(Some(run.map_err(for_changes)?))
    }

    async fn stop(&self, run: RunId) -> Result<bool> {
        self.own_run(run).await?;
        self.link.stop_run(run).await.map_err(for_changes)?;
        Ok(true)
    }

    async fn runs(&self, which: impl Into<RunFilter> + Send) -> Result<Runs> {
        let RunFilter { only, newest, skip } = which.into();
        let mut runs = match only {
            None => self.link.runs(&self.principal).await?,
            Some(run) => vec![self.own_run(run).await?],
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        runs.truncate(runs.len().saturating_sub(skip));
        if let Some(newest) = newest {
            let surplus = (runs.len() as u64).saturating_sub(newest);
            runs.drain(..usize::try_from(surplus).unwrap_or(runs.len()));
        }
        Ok(Runs {
            uses: self.uses(&runs).await?,
            runs: runs.into_iter().map(|run| self.shown(run)).collect(),
            now: Some(self.link.now()),
        })
    }

    async fn log(&self, run: RunId, after: Timestamp) -> Result<LogSession> {
        self.own_run(run).await?;
        let link = Arc::clone(&self.link);
        Ok(LogSession { link, run, after })
    }

    async fn artifacts(&self, _: RunId) -> Result<Option<String>> {
        Err(Refusal::NotOffered(Feature::Artifacts).into())
    }

    // Nodes, and sums over all runs, are for everybody who is admitted.
    async fn nodes(&self) -> Result<Nodes> {
        let now = self.link.now();
        let nodes = self.link.all_nodes().await?;
        let shown = nodes.iter().map(|node| self.node_info(node, now));
        Ok(Nodes {
            nodes: shown.collect(),
            now: Some(now),
        })
    }

    async fn enroll(&self, node: NewNode) -> Result<Option<NodeId>> {
        self.policy.open_to_enrolment()?;
        let key = PublicKey::from_pem(spki_to_pem(&node.key).as_bytes());
        let key = key.map_err(|problem| Refusal::KeyNotValid(problem.to_string()))?;
        let NewNode { name, location, .. } = node;
        let label = Label { name, location };
        let enrolled = self.link.enroll(&key, &self.principal, label).await;
        Ok(Some(enrolled.map_err(for_changes)?))
    }

    async fn dismiss(&self, node: NodeId) -> Result<()> {
        self.policy.open_to_enrolment()?;
        let dismissed = self.link.dismiss(node, &self.principal).await;
        dismissed.map_err(for_changes)
    }

    async fn federations(&self) -> Result<Vec<Federation>> {
        Ok(vec![shown::the_federation()])
    }

    async fn federation(&self, id: &str) -> Result<WholeFederation> {
        self.whole_federation(id).await
    }

    async fn delete(&self, run: RunId) -> Result<()> {
        let deleted = self.link.delete_run(&self.principal, run).await;
        deleted.map_err(for_changes)
    }

    async fn usage(&self) -> Result<Usage> {
        let Space {
            state,
            objects,
            fabs,
        } = self.link.space().await?;
        Ok(Usage {
            runs: state.runs,
            finished_runs: state.finished,
            nodes: state.nodes,
            run_bytes: state.run_bytes,
            log_bytes: state.log_bytes,
            database_bytes: state.file_bytes,
            free_bytes: state.free_bytes,
            object_bytes: objects,
            fab_bytes: fabs,
        })
    }
}

/// Bytes of a log that are given at once. Each reader takes them from a log that may be a hundred
/// times as long.
const PAGE_BYTES: usize = 64 << 10;

impl LogSession {
    async fn next_within(&mut self, most: usize) -> Result<Option<LogEntry>> {
        let entry = self.link.next_log(self.run, self.after, most).await;
        let entry = entry.map_err(for_people)?;
        if let Some(entry) = &entry {
            self.after = entry.at;
        }
        Ok(entry)
    }
}

impl LogReader for LogSession {
    async fn next(&mut self) -> Result<Option<LogEntry>> {
        self.next_within(PAGE_BYTES).await
    }

    async fn next_whole(&mut self) -> Result<Option<LogEntry>> {
        self.next_within(usize::MAX).await
    }
}

impl SignInSession {
    fn accounts(&self) -> Result<&Accounts> {
        let accounts = self.accounts.as_deref();
        accounts.ok_or_else(|| Refusal::NotOffered(Feature::Accounts).into())
    }
}

impl SignIn for SignInSession {
    async fn login(&self) -> Result<Login> {
        self.accounts()?.begin_login(self.address).await
    }

    async fn tokens(&self, device_code: &str) -> Result<Option<Tokens>> {
        self.accounts()?.poll_login(device_code).await
    }

    async fn refresh(&self, refresh_token: &str) -> Result<Tokens> {
        self.accounts()?.renew_login(refresh_token).await
    }
}

impl Host {
    fn session(&self, principal: Principal) -> ControlSession {
        ControlSession {
            link: Arc::clone(self.link()),
            principal,
            policy: self.0.parts.policy.clone(),
            joining: self.0.parts.joining.clone(),
        }
    }
}

impl ControlHost for Host {
    type Control = ControlSession;
    type SignIn = SignInSession;

    async fn admit(&self, proof: AccountProof, _: &Head) -> Admission<ControlSession> {
        let Some(accounts) = &self.0.parts.accounts else {
            return Admission {
                session: Ok(self.session(Principal::Anybody)),
                fresh: None,
            };
        };
        let (access, refresh) = (proof.access.as_deref(), proof.refresh.as_deref());
        match accounts.admit(access, refresh).await {
            Ok(Admitted { account, fresh }) => Admission {
                session: Ok(self.session(account.principal())),
                fresh,
            },
            Err(Turned { why, fresh }) => Admission {
                session: Err(why),
                fresh,
            },
        }
    }

    fn sign_in(&self, head: &Head) -> SignInSession {
        SignInSession {
            accounts: self.0.parts.accounts.clone(),
            address: head.peer.as_ref().map(|peer| peer.address.ip()),
        }
    }
}
