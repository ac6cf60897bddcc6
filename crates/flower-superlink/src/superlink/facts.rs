//! What the log says at the start: where the SuperLink listens, whom it lets in, where its state is.

use flwr_client::channel::Route;
use flwr_core::size::Size;
use flwr_security::client_list::ClientList;
use flwr_security::from_file::FromFile;
use flwr_security::tls::ServerTls;

use super::Addresses;
use crate::auth::Policy;
use crate::config::{Config, Launch, ServerAppIo, Transport};
use crate::link::Keep;
use crate::link::state::Usage;
use crate::store::{Database, Storage};

/// What an operator wants to know of a SuperLink that has started.
pub(super) fn of(config: &Config, addresses: &Addresses) -> Vec<String> {
    let transport = transport(config);
    let (fleet_clients, control_clients) = clients(config);
    let nodes = match &config.policy {
        Policy::AnyKey => "any SuperNode key".to_owned(),
        Policy::Listed(keys) => format!("{} SuperNode keys allowed", keys.now().len()),
        Policy::Enrolled => {
            "SuperNodes that were registered with `flwr supernode register`".to_owned()
        }
        Policy::ListedOrEnrolled(keys) => format!(
            "{} SuperNode keys allowed, and those that were registered with `flwr supernode register`",
            keys.now().len()
        ),
    };
    let accounts = match &config.accounts {
        None => String::new(),
        Some(accounts) => match accounts.route() {
            Route::Direct => format!("; {}", accounts.shown()),
            through => format!("; {}, reached {through}", accounts.shown()),
        },
    };
    let state = match &config.places.database {
        Database::Memory => "in memory: it ends with this process".to_owned(),
        Database::File(file) => format!("in {}", file.display()),
        Database::Postgres(address) => format!("in the {address}"),
    };
    let storage = match &config.places.storage {
        Storage::Memory => "in memory".to_owned(),
        Storage::Dir(dir) => format!("in {}", dir.display()),
        Storage::Bucket(bucket) => format!("in {}", bucket.url),
    };
    let starter = match &config.launch {
        Launch::Subprocess { program, .. } => {
            format!(
                "isolation subprocess, starting {}, app channel {}",
                program.shown(),
                config.serverappio.channel
            )
        }
        Launch::Process => format!(
            "isolation process, waiting for flower-superexec or flwr-serverapp{}",
            reach(
                addresses.serverappio.is_loopback(),
                "--serverappio-tls, --appio-ssl-certfile or --allow-plaintext-appio"
            )
        ),
    };
    let mut facts = vec![
        format!(
            "listening for Fleet on {} ({transport}; {fleet_clients}{nodes})",
            addresses.fleet
        ),
        format!(
            "listening for Control on {} ({transport}{control_clients}{accounts})",
            addresses.control
        ),
        format!(
            "listening for ServerAppIo on {} ({}; {starter})",
            addresses.serverappio,
            with_apps(config)
        ),
    ];
    if let Some(common) = &addresses.common {
        let services = "Fleet, Control and ServerAppIo";
        facts.push(format!(
            "listening for {services} over HTTP on {common} ({transport})"
        ));
    }
    facts.push(format!("state {state}"));
    facts.push(format!("FABs and objects {storage}"));
    if let Storage::Bucket(bucket) = &config.places.storage {
        let name = &bucket.superlink;
        facts.push(format!(
            "the SuperLink `{name}` among those of the database"
        ));
    }
    facts.extend(config.advertised.as_ref().map(|advertised| {
        format!("ServerApps that this SuperLink starts connect to {advertised}")
    }));
    facts.extend(addresses.join.as_ref().map(|address| {
        format!("listening for Join on {address} ({transport}; no client certificate needed; SuperNodes join with a token of `flwr supernode join-token new`)")
    }));
    facts.extend(
        addresses
            .health
            .as_ref()
            .map(|address| format!("listening for Health on {address}")),
    );
    let metrics = addresses.metrics.as_ref().zip(config.metrics.as_ref());
    facts.extend(
        metrics.map(|(address, place)| {
            format!("listening for Metrics on {address} ({})", place.shown())
        }),
    );
    facts
}

/// How long runs are kept, and what those that are there take.
pub(super) fn kept(keep: Keep, usage: &Usage) -> String {
    let runs = match usage.runs {
        1 => "1 run".to_owned(),
        number => format!("{number} runs"),
    };
    let there = format!("{runs}, {} of logs", Size(usage.log_bytes));
    match keep {
        Keep::Forever => format!(
            "runs are kept for ever: {there}; --keep-runs 90d or 1000 deletes older ones, `flwr run delete` one"
        ),
        keep => format!("finished runs are kept {keep} (--keep-runs): {there}"),
    }
}

/// Who reaches a port for app processes, where others start these.
fn reach(is_loopback: bool, leave: &str) -> String {
    if is_loopback {
        format!(" of this machine; {leave} opens it to others")
    } else {
        String::new()
    }
}

fn transport(config: &Config) -> String {
    match &config.transport {
        Transport::Plaintext => "plaintext".to_owned(),
        Transport::Tls(tls) => certificate(tls),
    }
}

/// What is spoken with the processes of ServerApps.
fn with_apps(config: &Config) -> String {
    match &config.serverappio {
        ServerAppIo { tls: Some(own), .. } => {
            format!("{}; plaintext for this machine", certificate(own.tls()))
        }
        ServerAppIo {
            shares_tls: true, ..
        } => "TLS; plaintext for this machine".to_owned(),
        _ => "plaintext".to_owned(),
    }
}

fn certificate(tls: &ServerTls) -> String {
    let certificate = tls.certificate();
    let until = certificate.not_after.date();
    format!("TLS, certificate {} until {until}", certificate.subject)
}

/// Which certificates SuperNodes and `flwr` must show.
fn clients(config: &Config) -> (String, String) {
    let Some(tls) = config.transport.tls() else {
        return (String::new(), String::new());
    };
    let needed = |list: Option<&FromFile<ClientList>>| match list {
        None => "client certificate needed".to_owned(),
        Some(list) => format!(
            "client certificate needed, {} on the list",
            list.now().len()
        ),
    };
    let fleet = match tls.asks_clients() {
        true => format!("{}; ", needed(config.clients.as_deref())),
        false => String::new(),
    };
    let asks = tls.asks_people();
    let control = match config.control_asks {
        _ if !asks && !tls.asks_clients() => String::new(),
        true if asks => format!("; {}", needed(config.list_of_people().as_deref())),
        _ => "; no client certificate needed".to_owned(),
    };
    (fleet, control)
}
