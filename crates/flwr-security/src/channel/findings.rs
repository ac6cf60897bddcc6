//! What a walk found, in words.

use flwr_core::checkup::Checkup;

use super::{ConnectError, Trust, Walk, WalkError};
use crate::tls::{Certificate, Reason};

const NAME: &str = Walk::STEPS[0];
const TCP: &str = Walk::STEPS[1];
const TLS: &str = Walk::STEPS[2];
const HTTP2: &str = Walk::STEPS[3];

impl Walk {
    /// The steps of a walk, in their order, as [`Walk::tell`] names them.
    pub const STEPS: [&str; 4] = ["name", "tcp", "tls", "http/2"];

    /// The steps of a walk, as far as it came.
    pub fn tell(&self, trust: &Trust, checkup: &mut Checkup) {
        let steps = Self::STEPS;
        let Some(stopped) = &self.stopped else {
            self.passed(trust, checkup, steps.len());
            return;
        };
        let at = self.step_of(stopped);
        self.passed(trust, checkup, at);
        checkup.failed(steps[at], stopped.to_string(), hint(stopped));
        checkup.skipped(&steps[at + 1..]);
    }

    /// The step at which it ended.
    fn step_of(&self, stopped: &WalkError) -> usize {
        match stopped {
            WalkError::Connect(ConnectError::Dns { .. }) => 0,
            WalkError::Connect(
                ConnectError::Tls { .. }
                | ConnectError::Name { .. }
                | ConnectError::TlsServer { .. }
                | ConnectError::Wordless { .. },
            ) => 2,
            WalkError::Connect(_) if self.addresses.is_empty() => 0,
            WalkError::Connect(_) if self.tcp.is_none() => 1,
            WalkError::Connect(_) => 2,
            _ => 3,
        }
    }

    fn passed(&self, trust: &Trust, checkup: &mut Checkup, steps: usize) {
        if steps > 0 {
            let addresses: Vec<_> = self
                .addresses
                .iter()
                .map(|at| at.ip().to_string())
                .collect();
            checkup.good(NAME, addresses.join(", "));
        }
        if steps > 1
            && let Some((address, took)) = self.tcp
        {
            let took = took.as_secs_f64() * 1000.0;
            checkup.good(TCP, format!("{address} answers, after {took:.1} ms"));
        }
        if steps > 2 {
            self.tell_tls(trust, checkup);
        }
        if steps > 3 {
            checkup.good(HTTP2, "spoken");
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

fn hint(stopped: &WalkError) -> Option<&'static str> {
    match stopped {
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
