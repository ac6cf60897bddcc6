//! What the daemons look at in the same way when they are asked whether they would start.

use std::net::TcpListener;

use flwr_core::checkup::Checkup;

/// Whether `program` could listen at an address; `flag` gives it another.
pub fn port(step: &'static str, address: &str, program: &str, flag: &str, checkup: &mut Checkup) {
    match TcpListener::bind(address) {
        Ok(_) => checkup.good(step, format!("{address} is free")),
        Err(error) => {
            let hint = format!("a {program} that runs here already? another place: {flag}");
            checkup.warning(step, format!("{address}: {error}"), Some(&hint));
        }
    }
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
