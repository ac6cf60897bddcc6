//! `flower-supernode --check-config`: whether this node would work, without being one. Nothing is
//! registered, and no port stays open.

use std::sync::Arc;
use std::time::Duration;

use flwr_client::channel::{self, Trust};
use flwr_core::checkup::Checkup;
use flwr_core::flower::RELEASE;
use flwr_daemon::checkup::port;
use flwr_daemon::clock::SystemClock;
use flwr_daemon::metrics::METRICS;
use flwr_security::private_files;
use flwr_security::tls::Dated;
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::config::{Config, Launch};
use crate::upstream::{Pinged, ping};

const JOIN: &str = "join";
const KEY: &str = "key";
const CERTIFICATES: &str = "certificates";
const CLIENTAPPIO: &str = "clientappio";
const METRICS_PORT: &str = "metrics";
const SUPERLINK: &str = "superlink";
const CLIENTAPP: &str = "clientapp";
const AUTHENTICATION: &str = "authentication";
/// How long the SuperLink may take to answer.
const ANSWER: Duration = Duration::from_secs(15);

/// Looks at what the flags name, and walks the way to the SuperLink.
pub async fn check(config: &Config) -> Checkup {
    let mut checkup = Checkup::new();
    join(config, &mut checkup);
    key(config, &mut checkup);
    let clientappio = config.clientappio.address.to_string();
    let flag = config.clientappio.flag;
    port(CLIENTAPPIO, &clientappio, "SuperNode", flag, &mut checkup);
    if let Some(place) = &config.metrics {
        let address = place.address.to_string();
        port(
            METRICS_PORT,
            &address,
            "SuperNode",
            METRICS.flag,
            &mut checkup,
        );
    }
    if let Some(own) = &config.clientappio.tls {
        let now = OffsetDateTime::now_utc();
        Dated::tell(&own.tls().dated(), CLIENTAPPIO, now, &mut checkup);
    }
    clientapp(config, &mut checkup);
    let address = (config.superlink.host.as_str(), config.superlink.port);
    for warning in &config.warnings {
        checkup.warning(SUPERLINK, warning, None);
    }
    let now = OffsetDateTime::now_utc();
    if let Trust::Tls(tls) = &config.trust {
        Dated::tell(&tls.dated(), CERTIFICATES, now, &mut checkup);
        for warning in tls.warnings() {
            checkup.warning(CERTIFICATES, warning, None);
        }
    }
    let other = config.other_port;
    let line = channel::walk_or(address, other, &config.trust, &config.route, now).await;
    line.tell(&config.trust, &mut checkup);
    if line.stopped.is_some() || config.joins_with.is_some() {
        checkup.skipped(&[AUTHENTICATION]);
    } else {
        authentication(config, &mut checkup).await;
    }
    checkup
}

/// What the node remembers of its enrolment, or the token that it would join with.
fn join(config: &Config, checkup: &mut Checkup) {
    if let Some(remembered) = &config.remembered {
        checkup.good(JOIN, remembered.to_string());
    }
    if let Some(token) = &config.joins_with {
        let text = format!("the start joins with token {token}; this check does not use the token");
        checkup.good(JOIN, text);
    }
}

fn key(config: &Config, checkup: &mut Checkup) {
    let fingerprint = config.key.private.public_key().fingerprint();
    match &config.key.path {
        None if config.joins_with.is_some() => {
            checkup.good(KEY, "made when the node joins, and kept");
        }
        None => checkup.good(KEY, "none is given; one is made at each start"),
        Some(path) if private_files::is_exposed(path) => {
            let hint = format!("chmod 600 {}", path.display());
            let text = format!(
                "{fingerprint}; others than its owner can read {}",
                path.display()
            );
            checkup.warning(KEY, text, Some(&hint));
        }
        Some(path) => checkup.good(KEY, format!("{fingerprint}, in {}", path.display())),
    }
}

fn clientapp(config: &Config, checkup: &mut Checkup) {
    let Launch::Subprocess { program, .. } = &config.launch else {
        return checkup.good(CLIENTAPP, "started by somebody else (--isolation process)");
    };
    if let Some((text, hint)) = config.launch.unprepared() {
        checkup.warning(CLIENTAPP, text, Some(hint));
    }
    match program.version() {
        Some((1, minor)) if minor < 20 => {
            let hint = format!(
                "SuperNodes start those of flwr 1.20 and later: `pip install flwr=={RELEASE}`"
            );
            checkup.failed(CLIENTAPP, program.shown(), Some(&hint));
        }
        _ => checkup.good(CLIENTAPP, program.shown()),
    }
}

/// Whether the SuperLink takes the node's signature.
async fn authentication(config: &Config, checkup: &mut Checkup) {
    let asked = ping(config, Arc::new(SystemClock));
    match timeout(ANSWER, asked).await {
        Ok(Ok(_)) if matches!(config.trust, Trust::Plaintext) => {
            checkup.good(AUTHENTICATION, "not asked for in plaintext");
        }
        Ok(Ok(Pinged::Taken)) => {
            checkup.good(AUTHENTICATION, "the SuperLink takes this node's key");
        }
        Ok(Ok(Pinged::Untold)) => {
            let text = "asked for; only a start shows whether the SuperLink knows this node's key";
            checkup.good(AUTHENTICATION, text);
        }
        Ok(Err(refused)) => checkup.failed(AUTHENTICATION, refused, None),
        Err(_) => {
            let text = format!("no answer for {} s", ANSWER.as_secs());
            checkup.failed(AUTHENTICATION, text, None);
        }
    }
}
