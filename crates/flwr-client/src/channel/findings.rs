//! What a walk found, in words.

use std::time::Duration;

use flwr_core::checkup::Checkup;

use super::{Carrier, ConnectError, Route, Trust, Walk, WalkError};
use flwr_security::tls::{Certificate, Reason};

const NAME: &str = "name";
const TCP: &str = "tcp";
const PROXY: &str = "proxy";
const TLS: &str = "tls";
const HTTP2: &str = "http/2";

impl Walk {
    /// The steps of a walk, in their order, as [`Walk::tell`] names them. A proxy resolves the name
    /// and connects.
    #[must_use]
    pub const fn steps(route: &Route) -> &'static [&'static str] {
        match route {
            Route::Direct => &[NAME, TCP, TLS, HTTP2],
            Route::Through(_) => &[PROXY, TLS, HTTP2],
        }
    }

    /// The steps of a walk, as far as it came.
    pub fn tell(&self, trust: &Trust, checkup: &mut Checkup) {
        let steps = Self::steps(&self.route);
        let failed = self.stopped.as_ref().map(|stopped| self.step_of(stopped));
        for (at, &step) in steps.iter().enumerate() {
            if let Some(stopped) = &self.stopped
                && failed == Some(step)
            {
                checkup.failed(step, stopped.to_string(), hint(stopped));
                return checkup.skipped(&steps[at + 1..]);
            }
            self.passed(step, trust, checkup);
        }
    }

    /// The step at which it ended.
    fn step_of(&self, stopped: &WalkError) -> &'static str {
        match stopped {
            WalkError::Connect(ConnectError::Proxy { .. }) => PROXY,
            WalkError::Connect(ConnectError::Dns { .. }) => NAME,
            WalkError::Connect(
                ConnectError::Tls { .. }
                | ConnectError::Name { .. }
                | ConnectError::TlsServer { .. }
                | ConnectError::Wordless { .. },
            ) => TLS,
            WalkError::Connect(ConnectError::Http1 { .. }) => HTTP2,
            WalkError::Connect(_) if self.proxied.is_some() => TLS,
            WalkError::Connect(_) if self.addresses.is_empty() => NAME,
            WalkError::Connect(_) if self.tcp.is_none() => TCP,
            WalkError::Connect(_) => TLS,
            _ => HTTP2,
        }
    }

    fn passed(&self, step: &'static str, trust: &Trust, checkup: &mut Checkup) {
        match (step, self.tcp, self.proxied) {
            (NAME, ..) => {
                let addresses = self.addresses.iter().map(|at| at.ip().to_string());
                let addresses: Vec<_> = addresses.collect();
                checkup.good(NAME, addresses.join(", "));
            }
            (TCP, Some((address, took)), _) => {
                let took = milliseconds(took);
                checkup.good(TCP, format!("{address} answers, after {took}"));
            }
            (PROXY, _, Some(took)) => {
                let (route, took) = (&self.route, milliseconds(took));
                checkup.good(PROXY, format!("{route}: connected, after {took}"));
            }
            (TLS, ..) => self.tell_tls(trust, checkup),
            (HTTP2, ..) if self.carrier == Some(Carrier::Http) => {
                checkup.good(
                    HTTP2,
                    "HTTP/1.1 in its place, as SuperLinks of flwr 1.37 and later",
                );
            }
            (HTTP2, ..) => checkup.good(HTTP2, "spoken"),
            _ => {}
        }
    }

    fn tell_tls(&self, trust: &Trust, checkup: &mut Checkup) {
        let (Some(proven), Trust::Tls(tls)) = (&self.tls, trust) else {
            let text = "none: everything can be read and changed on the way";
            checkup.warning(TLS, text, None);
            return;
        };
        let client = tls
            .certificate()
            .map_or_else(String::new, |own| format!("; shown: {}", own.subject));
        let text = format!(
            "{}, {} until {}, trusted by {}{client}",
            proven.version,
            proven.certificate.subject,
            proven.certificate.not_after.date(),
            tls.roots(),
        );
        if proven.days_left < Certificate::SOON {
            let hint = format!(
                "a certificate that the SuperLink shows ends in {} days",
                proven.days_left
            );
            checkup.warning(TLS, text, Some(&hint));
        } else {
            checkup.good(TLS, text);
        }
    }
}

fn milliseconds(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1000.0)
}

fn hint(stopped: &WalkError) -> Option<&'static str> {
    match stopped {
        WalkError::Connect(ConnectError::Proxy { .. }) => {
            Some("--proxy sets another proxy, and `--proxy none` goes without")
        }
        WalkError::Connect(ConnectError::Tls {
            reason: Reason::Alert(_),
            ..
        }) => Some("the SuperLink does not like this side: does it ask for a client certificate?"),
        WalkError::Closed => Some("does it speak TLS, and this side does not?"),
        WalkError::Silent => {
            Some("does it speak TLS, and this side does not? or is it no SuperLink?")
        }
        _ => None,
    }
}
