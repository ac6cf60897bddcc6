//! What changes while the node runs: files, whom to trust, and the client certificate.

use std::sync::Arc;

use flwr_client::channel::Trust;
use flwr_daemon::clock::Clock;
use flwr_daemon::renew::Renewals;
use tokio::sync::Notify;

use crate::config::{Config, Remembered};
use crate::upstream::{Enrolled, KeyFile, Learning, Renewing, TlsFiles, Upstream};

/// What is read again when its files change.
pub(super) fn renewals(config: &Config, upstream: &Upstream, clock: &Arc<dyn Clock>) -> Renewals {
    let mut renewals = Renewals::new(Arc::clone(clock));
    let remembered = config.remembered.as_ref();
    if let Trust::Tls(tls) = &config.trust {
        let flag = match tls.certificate() {
            _ if remembered.is_some_and(|known| known.trust || known.certificate) => {
                "the enrolment's trust"
            }
            Some(_) => "--client-certificate",
            None => "--root-certificates",
        };
        renewals.add(flag, Arc::new(TlsFiles::new(tls.clone(), upstream.clone())));
    }
    if let Some(own) = &config.clientappio.tls {
        let (flag, tls) = own.renewal();
        renewals.add(flag, tls);
    }
    if let Some(metrics) = &config.metrics {
        metrics.renew(&mut renewals);
    }
    if let Some(path) = &config.key.path {
        let flag = match remembered {
            Some(remembered) if remembered.key => "the enrolment's key",
            _ => "--auth-supernode-private-key",
        };
        let key = config.key.private.public_key();
        let file = KeyFile::new(path.clone(), key, upstream.clone());
        renewals.add(flag, Arc::new(file));
    }
    renewals
}

/// How the node learns whom to trust, where it trusts those that it remembers.
pub(super) fn learning(config: &Config, now: &Arc<Notify>) -> Option<Learning> {
    Some(Learning {
        by: enrolled(config, |remembered| remembered.trust)?,
        now: Arc::clone(now),
    })
}

/// How the node renews its client certificate, where the SuperLink issued one to it.
pub(super) fn renewing(config: &Config, clock: &Arc<dyn Clock>) -> Option<Renewing> {
    Some(Renewing {
        by: enrolled(config, |remembered| remembered.certificate)?,
        clock: Arc::clone(clock),
    })
}

/// How the node asks its SuperLink for more of its enrolment. `None`: that part is not in use.
fn enrolled(config: &Config, is_in_use: impl Fn(&Remembered) -> bool) -> Option<Enrolled> {
    let remembered = config.remembered.as_ref();
    let remembered = remembered.filter(|remembered| is_in_use(remembered))?;
    let Trust::Tls(tls) = &config.trust else {
        return None;
    };
    Some(Enrolled {
        joined: remembered.joined.clone(),
        superlink: config.superlink.clone(),
        tls: tls.clone(),
        route: config.route.clone(),
    })
}
