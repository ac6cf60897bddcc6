//! What the log says at the start.

use flwr_client::channel::Trust;
use flwr_daemon::appio::AppTls;
use flwr_daemon::listen::Bound;
use flwr_security::private_files;
use tracing::{info, warn};

use crate::args::VERSION;
use crate::config::{Config, Launch};

pub(super) fn log_facts(
    config: &Config,
    clientappio: &Bound,
    (health, metrics): (Option<&Bound>, Option<&Bound>),
) {
    let key = config.key.path.as_ref();
    let key_origin = key.map_or("made for this start".to_owned(), |path| {
        path.display().to_string()
    });
    let isolation = match &config.launch {
        Launch::Subprocess { program, .. } => {
            format!(
                "subprocess, starting {}, app channel {}",
                program.shown(),
                config.clientappio.channel
            )
        }
        Launch::Process => {
            let reach = if clientappio.is_loopback() {
                " of this machine; --ssl-certfile or --allow-plaintext-appio opens it to others"
            } else {
                ""
            };
            format!("process, waiting for your flower-superexec or flwr-clientapp{reach}")
        }
    };
    info!("Flower SuperNode {VERSION}");
    info!(
        "SuperLink {}, {} (trusted certificates: {})",
        config.superlink, config.route, config.trust_origin
    );
    if let Some(remembered) = &config.remembered {
        info!("remembered: {remembered}");
    }
    if let Some(port) = config.other_port {
        info!("where nothing listens there, port {port} is tried (--superlink names another)");
    }
    for warning in &config.warnings {
        warn!("{warning}");
    }
    if matches!(config.trust, Trust::Plaintext) {
        warn!(
            "--insecure: everybody between here and {} can read and change what is sent",
            config.superlink
        );
    }
    if let Trust::Tls(tls) = &config.trust {
        for warning in tls.warnings() {
            warn!("{warning}");
        }
    }
    info!(
        "key {} ({key_origin})",
        config.key.private.public_key().fingerprint()
    );
    if let Some(warning) = key.and_then(|path| private_files::exposed(path)) {
        warn!("{warning}");
    }
    if let Some((text, hint)) = config.launch.unprepared() {
        warn!("{text}; {hint}");
    }
    let spoken = AppTls::security(config.clientappio.tls.as_ref());
    info!("ClientAppIo on {clientappio} ({spoken}; isolation {isolation})");
    if let Some(address) = health {
        info!("Health on {address} (plaintext)");
    }
    if let (Some(address), Some(place)) = (metrics, &config.metrics) {
        info!("Metrics on {address} ({})", place.shown());
    }
}
