//! `flwr doctor`: checks the connection to a federation's SuperLink, step by step.

use std::time::Duration;

use flwr_client::channel::{self, Route, Trust, Walk};
use flwr_client::line::Line;
use flwr_core::checkup::Checkup;
use flwr_core::port::Control as _;
use flwr_core::project::Federation;
use flwr_core::refusal::{Class, Failure};
use flwr_core::time::Timestamp;
use flwr_programs::path_variable;
use flwr_security::tls::Dated;
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::cli::{DoctorArgs, Target};
use crate::connect::{self, SuperLink};
use crate::error::{Error, Result};
use crate::federation::Surroundings;
use crate::render::Output;
use crate::resolved::ResolvedFederation;

mod programs;
mod python;
mod supernode;

const FEDERATION: &str = "federation";
const ADDRESS: &str = "address";
const PROXY: &str = "proxy";
const CERTIFICATES: &str = "certificates";
const SERVICE: &str = "service";
const AUTHENTICATION: &str = "authentication";
const PERMISSION: &str = "permission";
const CLOCK: &str = "clock";
/// The steps on an open connection.
const CALLS: [&str; 4] = [SERVICE, AUTHENTICATION, PERMISSION, CLOCK];
/// Steps of the connection.
const LINE: &[&str] = Walk::steps(&Route::Direct);
/// The time limit for the SuperLink's answer.
const ANSWER: Duration = Duration::from_secs(15);
/// How far a SuperNode's clock may be ahead of the SuperLink's: a signature of later is refused
/// (flwr 1.22).
const APART: time::Duration = time::Duration::seconds(5);

pub(super) async fn doctor(args: &DoctorArgs, output: &mut Output) -> Result<()> {
    let mut checkup = Checkup::new();
    walk(&args.at.target(), &mut checkup).await;
    programs::look(&path_variable(), env!("CARGO_PKG_VERSION"), &mut checkup);
    let surroundings = Surroundings::of_process();
    python::look(surroundings.local().ok().as_ref(), &mut checkup);
    if let Some(home) = &surroundings.home {
        supernode::look(home, OffsetDateTime::now_utc(), &mut checkup);
    }
    output.checkup(&checkup)?;
    if checkup.is_good() {
        Ok(())
    } else {
        Err(Error::Told)
    }
}

/// Runs all steps up to the SuperLink's answer.
async fn walk(target: &Target, checkup: &mut Checkup) {
    let Some(chosen) = outcome_of(FEDERATION, checkup, chosen(target)) else {
        return checkup.skipped(&[&[CERTIFICATES], LINE, &CALLS].concat());
    };
    let federation = &chosen.federation;
    let source = &chosen.source;
    checkup.good(
        FEDERATION,
        format!("{}, from {source}: {}", federation.name, chosen.why),
    );
    let Some(address) = &federation.address else {
        let error = Error::NoAddress {
            command: "doctor",
            federation: federation.name.clone(),
        };
        outcome_of::<()>(CERTIFICATES, checkup, Err(error));
        return checkup.skipped(&[LINE, &CALLS].concat());
    };
    let Some(trust) = outcome_of(
        CERTIFICATES,
        checkup,
        connect::trust(&chosen.base, federation),
    ) else {
        return checkup.skipped(&[LINE, &CALLS].concat());
    };
    checkup.good(CERTIFICATES, files(federation, &trust));
    if let Some(advice) = address.advice() {
        checkup.warning(ADDRESS, advice, None);
    }
    let Some(proxies) = outcome_of(PROXY, checkup, connect::proxies(federation.proxy.as_ref()))
    else {
        return checkup.skipped(&[LINE, &CALLS].concat());
    };
    if let Some(warning) = proxies.warning(&address.host, address.port) {
        checkup.warning(PROXY, warning.to_string(), None);
    }
    let route = proxies.route(&address.host, address.port);
    let now = OffsetDateTime::now_utc();
    if let Trust::Tls(tls) = &trust {
        Dated::tell(&tls.dated(), CERTIFICATES, now, checkup);
        for warning in tls.warnings() {
            checkup.warning(CERTIFICATES, warning, None);
        }
    }
    let line = channel::walk((&address.host, address.port), &trust, &route, now).await;
    line.tell(&trust, checkup);
    if line.stopped.is_some() {
        return checkup.skipped(&CALLS);
    }
    match SuperLink::connect(&chosen, "doctor") {
        Ok(superlink) => ask(superlink, checkup).await,
        Err(error) => {
            outcome_of::<()>(SERVICE, checkup, Err(error));
            checkup.skipped(&CALLS[1..]);
        }
    }
}

/// The result of a step; `None` after an error, which goes to the checkup.
fn outcome_of<T>(step: &'static str, checkup: &mut Checkup, outcome: Result<T>) -> Option<T> {
    outcome
        .inspect_err(|error| checkup.failed(step, error.chain(), error.hint().as_deref()))
        .ok()
}

fn chosen(target: &Target) -> Result<ResolvedFederation> {
    let app = super::app_if_there(&target.app)?;
    Surroundings::of_process().choose(app.as_ref(), target)
}

fn files(federation: &Federation, trust: &Trust) -> String {
    let Trust::Tls(tls) = trust else {
        return "none are needed for plaintext".to_owned();
    };
    let own = match &federation.identity {
        Some((certificate, _)) => format!("; own: {certificate}"),
        None => String::new(),
    };
    format!("trusted: {}{own}", tls.roots())
}

/// One call that any user may make, and what its answer says.
async fn ask(superlink: SuperLink<impl Line>, checkup: &mut Checkup) {
    let Ok(answer) = timeout(ANSWER, superlink.control.runs(None)).await else {
        let text = format!("no answer for {} s", ANSWER.as_secs());
        checkup.failed(SERVICE, text, Some("its log may tell what it is busy with"));
        return checkup.skipped(&CALLS[1..]);
    };
    if let Err(failure) = &answer
        && !is_about_the_caller(failure)
    {
        let text = Error::from(failure.clone()).to_string();
        checkup.failed(SERVICE, text, wrong_port(failure));
        return checkup.skipped(&CALLS[1..]);
    }
    let service = if superlink.is_exec() {
        "Exec: flwr 1.20 or earlier"
    } else {
        "Control: flwr 1.21 or later"
    };
    checkup.good(SERVICE, service);
    match answer {
        Ok(answer) => {
            checkup.good(AUTHENTICATION, "passed, or not asked for");
            let runs = answer.runs.len();
            checkup.good(PERMISSION, format!("runs may be listed: {runs}"));
            clock(answer.now, checkup);
        }
        Err(failure) => refused(&failure, checkup),
    }
}

/// Whether the SuperLink refused the call for who makes it.
fn is_about_the_caller(failure: &Failure) -> bool {
    matches!(
        failure.class(),
        Some(Class::Unauthenticated | Class::Forbidden)
    )
}

fn wrong_port(failure: &Failure) -> Option<&'static str> {
    super::is_not_offered(failure).then_some(
        "it is a SuperLink's port, but not for `flwr`: Control is on port 9093 by default, Fleet on 9092, ServerAppIo on 9091; from flwr 1.37 on Control is on 8000",
    )
}

fn refused(failure: &Failure, checkup: &mut Checkup) {
    let text = Error::from(failure.clone()).to_string();
    if failure.class() == Some(Class::Unauthenticated) {
        checkup.failed(AUTHENTICATION, text, None);
        checkup.skipped(&[PERMISSION, CLOCK]);
    } else {
        checkup.good(AUTHENTICATION, "passed");
        checkup.failed(PERMISSION, text, Some("ask who runs the SuperLink"));
        checkup.skipped(&[CLOCK]);
    }
}

/// The SuperLink's time and this machine's.
fn clock(theirs: Option<Timestamp>, checkup: &mut Checkup) {
    let Some(theirs) = theirs.and_then(Timestamp::to_date_time) else {
        return checkup.warning(CLOCK, "the SuperLink does not tell its time", None);
    };
    let apart = (theirs - OffsetDateTime::now_utc()).abs();
    let text = format!("{:.1} s apart", apart.as_seconds_f64());
    if apart > APART {
        let hint =
            "SuperNodes so far apart are refused: have both machines synchronise their clocks";
        checkup.warning(CLOCK, text, Some(hint));
    } else {
        checkup.good(CLOCK, text);
    }
}

#[cfg(test)]
mod tests;
