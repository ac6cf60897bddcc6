//! The checks that both daemons share in `--check`.

use std::net::ToSocketAddrs;

use flwr_core::checkup::Checkup;

use crate::listen;

/// Whether `program` could listen at an address; `flag` gives it another.
pub fn port(step: &'static str, address: &str, program: &str, flag: &str, checkup: &mut Checkup) {
    let wanted = address.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
    let opened = wanted.map(|wanted| listen::open(&wanted));
    let problem = match opened {
        Ok(Ok(opened)) if opened.missing.is_empty() => {
            return checkup.good(step, format!("{address} is free"));
        }
        Ok(Ok(opened)) => {
            let missing = listen::joined(&opened.missing);
            let text = format!("{address} is free, but for {missing}");
            let hint = "this machine does not have that address: see its hosts file, or DNS";
            return checkup.warning(step, text, Some(hint));
        }
        Ok(Err(error)) if error.address.to_string() == address => error.source.to_string(),
        Ok(Err(error)) => format!("{}: {}", error.address, error.source),
        Err(error) => error.to_string(),
    };
    let hint = format!("a {program} that runs here already? another place: {flag}");
    checkup.warning(step, format!("{address}: {problem}"), Some(&hint));
}

/// Prints what was found: as text, or as JSON.
#[expect(clippy::print_stdout, reason = "this is what was asked for")]
pub fn print(checkup: &Checkup, json: bool) {
    if json {
        println!("{:#}", checkup.json());
    } else {
        println!("{checkup}");
    }
}
