//! Apps under keepers. This program is a daemon and, under another name, the keeper of its apps:
//! therefore `main` is ours, and not the test harness'.

#![expect(
    clippy::unwrap_used,
    reason = "a test: it panics where it cannot go on"
)]

use std::env;
use std::path::Path;
use std::process::ExitCode;

use flwr_daemon::apps::keeper;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::time::timeout;

mod daemon;
mod ends;
mod place;

use place::Place;

fn main() -> ExitCode {
    if let Some(ended) = keeper::run_if_asked() {
        return ended;
    }
    if let Some(dir) = env::var_os(daemon::DIR) {
        return daemon::run(Path::new(&dir));
    }
    let trials = ends::trials().into_iter().chain(daemon::trials()).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test with a folder, a runtime, and a deadline.
fn trial<F>(name: &str, test: fn(Place) -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failed::from)?;
        runtime
            .block_on(async { timeout(place::DEADLINE, test(Place::new())).await })
            .map_err(|_| Failed::from("not done in time"))
    })
}
