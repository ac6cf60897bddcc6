//! `flower-superlink --check-config`: whether a SuperLink with these flags would start. Nothing is
//! written, and no port stays open.

use std::path::Path;

use flwr_client::channel::Route;
use flwr_core::cause::chain;
use flwr_core::checkup::Checkup;
use flwr_daemon::apps::Guard;
use flwr_daemon::checkup::port;
use flwr_daemon::metrics::METRICS;
use flwr_daemon::telemetry::LogFile;
use flwr_security::tls::{Dated, ServerTls, Standing};
use rustix::fs::{Access, access};
use time::OffsetDateTime;

use crate::accounts::Accounts;
use crate::auth::Policy;
use crate::config::{Config, Launch, Transport};
use crate::store::{Database, Places, PostgresState, Storage};

const TLS: &str = "tls";
const CLIENTS: &str = "client certificates";
const SUPERNODES: &str = "supernodes";
const ACCOUNTS: &str = "accounts";
const PROVIDER: &str = "login provider";
const STATE: &str = "state";
const STORAGE: &str = "storage";
const SERVERAPP: &str = "serverapp";
const LOG: &str = "log";

/// Looks at everything that the flags name. That they make sense together, and that certificates,
/// keys and lists can be read, is known: there would be no configuration otherwise.
#[must_use]
pub fn check(config: &Config, now: OffsetDateTime) -> Checkup {
    let mut checkup = Checkup::new();
    checkup.good("flags", "they fit together");
    // Those of the certificate stand under its own step.
    let of_tls = match &config.transport {
        Transport::Tls(server) => server.warnings(),
        Transport::Plaintext => Vec::new(),
    };
    for warning in &config.warnings {
        if !of_tls.contains(warning) {
            checkup.warning("flags", warning, None);
        }
    }
    match &config.transport {
        Transport::Tls(server) => tls(config, server, now, &mut checkup),
        Transport::Plaintext => {
            let text = "none (--insecure): everything can be read and changed on the way";
            checkup.warning(TLS, text, None);
        }
    }
    if let Some(own) = &config.serverappio.tls {
        Dated::tell(&own.tls().dated(), SERVERAPP, now, &mut checkup);
    }
    match &config.policy {
        Policy::AnyKey => checkup.good(SUPERNODES, "any key is let in"),
        Policy::Enrolled => checkup.good(
            SUPERNODES,
            "those that were registered with `flwr supernode register` are let in",
        ),
        Policy::ListedOrEnrolled(keys) => {
            let number = keys.now().len();
            let text = format!(
                "{number} keys are on the list, and those that were registered with `flwr supernode register` are let in"
            );
            checkup.good(SUPERNODES, text);
        }
        Policy::Listed(keys) => match keys.now().len() {
            0 => checkup.warning(SUPERNODES, "no key is on the list: nobody is let in", None),
            number => checkup.good(SUPERNODES, format!("{number} keys are on the list")),
        },
    }
    if let Some(accounts) = &config.accounts {
        checkup.good(ACCOUNTS, format!("{} may come in", accounts.shown()));
    }
    ports(config, &mut checkup);
    places(config, &mut checkup);
    serverapp(config, &mut checkup);
    checkup
}

/// Whether the SuperLink could listen at each of its addresses.
fn ports(config: &Config, checkup: &mut Checkup) {
    let mut before: Vec<(String, &str)> = Vec::new();
    for (step, address, flag) in [
        ("fleet", Some(&config.fleet), "--fleet-api-address"),
        ("control", Some(&config.control), "--control-api-address"),
        (
            "serverappio",
            Some(&config.serverappio.address),
            "--serverappio-api-address",
        ),
        (
            "join",
            config.joining.address.as_ref(),
            "--join-api-address",
        ),
        ("http", Some(&config.common.address), "--port"),
        ("health", config.health.as_ref(), "--health-server-address"),
        (
            "metrics",
            config.metrics.as_ref().map(|place| &place.address),
            METRICS.flag,
        ),
    ] {
        let Some(address) = address.map(ToString::to_string) else {
            continue;
        };
        match before.iter().find(|(taken, _)| *taken == address) {
            Some((_, other)) => {
                let text = format!("{address} is that of {other} too");
                checkup.failed(step, text, Some(&format!("another place: {flag}")));
            }
            None => port(step, &address, "SuperLink", flag, checkup),
        }
        // The system chooses another for each 0.
        if !address.ends_with(":0") {
            before.push((address, flag));
        }
    }
}

/// Asks the provider of the accounts what the SuperLink will ask it.
pub async fn ask_provider(accounts: &Accounts, checkup: &mut Checkup) {
    match accounts.ask_provider().await {
        Ok(keys) => {
            let way = match accounts.route() {
                Route::Direct => String::new(),
                through => format!(" {through}"),
            };
            checkup.good(
                PROVIDER,
                format!("it answers{way}, and publishes {keys} keys"),
            );
        }
        Err(problem) => {
            let way_out = "until it answers, the SuperLink runs and lets nobody in";
            checkup.warning(PROVIDER, chain(&problem), Some(way_out));
        }
    }
}

fn tls(config: &Config, server: &ServerTls, now: OffsetDateTime, checkup: &mut Checkup) {
    let certificate = server.certificate();
    let until = certificate.not_after.date();
    let text = format!(
        "{} until {until}, for {}",
        certificate.subject,
        certificate.names.join(", ")
    );
    let (own, others): (Vec<_>, Vec<_>) = server.dated().into_iter().partition(Dated::is_own);
    match own.first().map(|own| own.at(now)) {
        Some(Standing::Over(told) | Standing::Early(told)) => {
            checkup.failed(TLS, text, Some(&told));
        }
        Some(Standing::Ending(told)) => checkup.warning(TLS, text, Some(&told)),
        _ => checkup.good(TLS, text),
    }
    Dated::tell(&others, TLS, now, checkup);
    for warning in server.warnings() {
        checkup.warning(TLS, warning, None);
    }
    if config.joining.authority.is_some() {
        checkup.good(
            CLIENTS,
            "SuperNodes that join get theirs from the CA of --node-ca-certfile",
        );
    }
    if server.has_client_ca() {
        let listed = config.clients.as_ref().map(|list| list.now().len());
        let who = listed.map_or_else(
            || "all that a CA of --ssl-client-ca-certfile has signed".to_owned(),
            |number| format!("{number} names are on the list"),
        );
        let flwr = if config.control_asks {
            ""
        } else {
            "; `flwr` needs none"
        };
        checkup.good(CLIENTS, format!("asked for: {who}{flwr}"));
    }
    if server.asks_people() && config.control_asks && !server.shares_client_ca() {
        let who = config.people.as_ref().map_or_else(
            || "all that a CA of --ssl-control-client-ca-certfile has signed".to_owned(),
            |list| format!("{} names are on the list", list.now().len()),
        );
        checkup.good(CLIENTS, format!("asked for on Control: {who}"));
    }
}

fn places(config: &Config, checkup: &mut Checkup) {
    match &config.places.database {
        Database::Memory => {
            let text = "in memory: runs are lost when the SuperLink ends";
            checkup.warning(STATE, text, None);
        }
        Database::File(file) => writable(STATE, file, "--database", checkup),
        // It is asked, as the OpenID provider is: `ask_database`.
        Database::Postgres(_) => {}
    }
    match &config.places.storage {
        Storage::Memory => checkup.good(STORAGE, "in memory"),
        Storage::Dir(dir) => writable(STORAGE, dir, "--storage-dir", checkup),
        // It is asked, as the database is: `ask_bucket`.
        Storage::Bucket(_) => {}
    }
}

/// Looks whether the log file can be written. A check writes no line to it.
pub fn log_file(file: &LogFile, checkup: &mut Checkup) {
    let shown = file.path.display();
    match file.look() {
        Ok(()) => checkup.good(LOG, format!("{shown} can be written")),
        Err(error) => {
            let hint =
                "give its folder to the user of this process, or another file with --log-file";
            let text = format!("{shown} cannot be written: {error}");
            checkup.failed(LOG, text, Some(hint));
        }
    }
}

/// Connects to the PostgreSQL database, if there is one, and looks whether it can keep a state.
pub async fn ask_database(places: &Places, checkup: &mut Checkup) {
    let Database::Postgres(address) = &places.database else {
        return;
    };
    match PostgresState::inspect(address).await {
        Ok(()) => {
            let text = "answers, delivers what is notified, and can be written (what was written for that is taken back)";
            checkup.good(STATE, format!("{address} {text}"));
        }
        Err(error) => {
            let hint =
                "check the address, sslrootcert, the password file and the server's pg_hba.conf";
            checkup.failed(STATE, chain(&error), Some(hint));
        }
    }
}

/// Puts a probe into the bucket, if there is one, reads it and deletes it.
pub async fn ask_bucket(places: &Places, checkup: &mut Checkup) {
    let Storage::Bucket(bucket) = &places.storage else {
        return;
    };
    match bucket.try_all().await {
        Ok(()) => checkup.good(
            STORAGE,
            format!("{}: a probe was put, read and deleted", bucket.url),
        ),
        Err(error) => {
            let hint = "check the address, the credentials and what they may do there";
            checkup.failed(STORAGE, chain(&error), Some(hint));
        }
    }
}

/// Whether a place can be written to, or made.
fn writable(step: &'static str, path: &Path, flag: &str, checkup: &mut Checkup) {
    let shown = path.display();
    // An empty path is what is above a relative one.
    let there = path.ancestors().map(|above| match above.as_os_str().len() {
        0 => Path::new("."),
        _ => above,
    });
    let nearest = there.into_iter().find(|above| above.exists());
    match access(nearest.unwrap_or(path), Access::WRITE_OK) {
        Ok(()) if nearest == Some(path) => checkup.good(step, format!("{shown} is there")),
        Ok(()) => checkup.good(step, format!("{shown} will be made")),
        Err(error) => {
            let hint = format!("give it to the user of this process, or another with {flag}");
            checkup.failed(
                step,
                format!("{shown} cannot be written: {error}"),
                Some(&hint),
            );
        }
    }
}

fn serverapp(config: &Config, checkup: &mut Checkup) {
    let Launch::Subprocess { program, .. } = &config.launch else {
        return checkup.good(SERVERAPP, "started by somebody else (--isolation process)");
    };
    let guard = Guard::prepare(program.path(), config.flwr_dir.as_deref());
    match guard.warning(program.path()) {
        None => checkup.good(SERVERAPP, program.shown()),
        Some((text, hint)) => checkup.warning(SERVERAPP, text, Some(hint)),
    }
}
