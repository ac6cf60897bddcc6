//! Logins that have begun, and the pace at which the provider is asked about them. `flwr` asks as
//! often as it was told at the beginning, and cannot be told to slow down: what comes too early
//! is answered without asking the provider.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use flwr_core::port::control;
use flwr_core::refusal::Failure;
use flwr_core::time::Timestamp;

use crate::accounts::oidc::Begun;

/// How people sign in: the only way that the peers know.
const OIDC: &str = "oidc";
/// Logins under way.
const MOST: usize = 1000;
/// The same of one address, behind which there may be many people.
const MOST_OF_ONE: usize = 50;
/// Seconds that a login may take, whatever the provider says.
const LONGEST: f64 = 1800.0;
/// Seconds between two questions, at least and at most.
const INTERVALS: (f64, f64) = (1.0, 60.0);
/// Seconds more, each time the provider wants it (RFC 8628, section 3.5).
const SLOWER: f64 = 5.0;

/// Logins that have begun, by device code.
#[derive(Default)]
pub(super) struct Logins(HashMap<String, Login>);

struct Login {
    peer: Option<IpAddr>,
    until: Timestamp,
    interval: f64,
    /// When the provider may be asked.
    next: Timestamp,
}

/// What is to be done about a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is no such login, or not any more.
    Unknown,
    /// Nothing yet.
    Early,
    /// The provider is asked.
    Ask,
}

/// A failure that may pass, since Python's `flwr` hangs when a login meets a refusal that it does
/// not expect.
fn too_many() -> Failure {
    Failure::TryAgain("too many logins have begun: try again in some minutes".to_owned())
}

impl Logins {
    /// Whether somebody at this address may begin another.
    pub(super) fn require_room(
        &mut self,
        peer: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        self.0.retain(|_, login| login.until > now);
        let theirs = self.0.values().filter(|login| login.peer == peer).count();
        if self.0.len() >= MOST || theirs >= MOST_OF_ONE {
            return Err(too_many());
        }
        Ok(())
    }

    /// Notes a login that has begun, and says what its user is told.
    pub(super) fn add(
        &mut self,
        begun: Begun,
        peer: Option<IpAddr>,
        now: Timestamp,
    ) -> control::Login {
        let interval = begun.interval.clamp(INTERVALS.0, INTERVALS.1).ceil();
        let expires_in = begun.expires_in.clamp(1.0, LONGEST).floor();
        let login = Login {
            peer,
            until: now + expires_in,
            interval,
            next: now + interval,
        };
        self.0.insert(begun.device_code.clone(), login);
        control::Login {
            auth_type: OIDC.to_owned(),
            place: place(&begun),
            device_code: begun.device_code,
            // Small and above 0 by now.
            expires_in: Duration::from_secs_f64(expires_in),
            interval: Duration::from_secs_f64(interval),
        }
    }

    /// What is to be done about a question that comes now.
    pub(super) fn turn(&mut self, device_code: &str, now: Timestamp) -> Turn {
        match self.0.get_mut(device_code) {
            None => Turn::Unknown,
            Some(login) if login.until <= now => Turn::Unknown,
            Some(login) if login.next > now => Turn::Early,
            Some(login) => {
                login.next = now + login.interval;
                Turn::Ask
            }
        }
    }

    /// The provider wants to be asked less often.
    pub(super) fn slow_down(&mut self, device_code: &str) {
        if let Some(login) = self.0.get_mut(device_code) {
            login.interval += SLOWER;
            login.next = login.next + SLOWER;
        }
    }

    /// It is over.
    pub(super) fn end(&mut self, device_code: &str) {
        self.0.remove(device_code);
    }
}

/// Where the user goes. Not all providers have an address with the code in it (RFC 8628, 3.3.1),
/// and `flwr` prints one line.
fn place(begun: &Begun) -> String {
    match &begun.verification_uri_complete {
        Some(complete) if !complete.is_empty() => complete.clone(),
        _ => format!(
            "{} and enter the code {}",
            begun.verification_uri, begun.user_code
        ),
    }
}

/// Who has a code has the login: they are not printed.
impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logins({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_secs(1_758_000_000.0);

    fn begun(code: &str, interval: f64) -> Begun {
        Begun {
            device_code: code.to_owned(),
            user_code: "ABCD-EFGH".to_owned(),
            verification_uri: "https://idp.example.org/device".to_owned(),
            verification_uri_complete: None,
            expires_in: 600.9,
            interval,
        }
    }

    #[test]
    fn the_provider_is_asked_no_more_often_than_it_wants() {
        let mut logins = Logins::default();
        let told = logins.add(begun("a", 5.0), None, NOON);
        let times = (told.expires_in, told.interval);
        assert_eq!(times, (Duration::from_secs(600), Duration::from_secs(5)));
        assert_eq!(
            told.place,
            "https://idp.example.org/device and enter the code ABCD-EFGH"
        );
        assert_eq!(logins.turn("b", NOON), Turn::Unknown);
        assert_eq!(logins.turn("a", NOON + 4.9), Turn::Early);
        assert_eq!(logins.turn("a", NOON + 5.0), Turn::Ask);
        assert_eq!(
            logins.turn("a", NOON + 5.1),
            Turn::Early,
            "it was just asked"
        );
        logins.slow_down("a");
        assert_eq!(logins.turn("a", NOON + 14.9), Turn::Early);
        assert_eq!(logins.turn("a", NOON + 15.0), Turn::Ask);
        assert_eq!(
            logins.turn("a", NOON + 24.9),
            Turn::Early,
            "10 s from now on"
        );
        assert_eq!(logins.turn("a", NOON + 600.0), Turn::Unknown);
        logins.end("a");
        assert_eq!(logins.turn("a", NOON + 30.0), Turn::Unknown);
    }

    #[test]
    fn an_interval_is_never_nothing() {
        for interval in [0.0, -3.0, 0.2] {
            let told = Logins::default().add(begun("a", interval), None, NOON);
            assert_eq!(told.interval, Duration::from_secs(1));
        }
    }

    #[test]
    fn nobody_can_begin_logins_without_end() {
        let mut logins = Logins::default();
        let peer = |n: u8| Some(IpAddr::from([10, 0, 0, n]));
        for n in 0..MOST_OF_ONE {
            logins.require_room(peer(1), NOON).unwrap();
            logins.add(begun(&format!("a{n}"), 5.0), peer(1), NOON);
        }
        assert_eq!(logins.require_room(peer(1), NOON), Err(too_many()));
        logins.require_room(peer(2), NOON).unwrap();
        for n in MOST_OF_ONE..MOST {
            logins.add(begun(&format!("b{n}"), 5.0), None, NOON);
        }
        assert_eq!(logins.require_room(peer(2), NOON), Err(too_many()));
        logins.require_room(peer(2), NOON + 601.0).unwrap();
        assert!(logins.0.is_empty());
    }
}
