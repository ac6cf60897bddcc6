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
use crate::link::state::KnownLogin;

/// How people sign in: the only way that the peers know.
const OIDC: &str = "oidc";
/// Logins under way.
const MOST: usize = 10_000;
/// Logins that may begin in a minute. Each costs a request to the provider.
const PER_MINUTE: f64 = 600.0;
/// The same of one address, behind which there may be many people.
const PER_MINUTE_OF_ONE: f64 = 60.0;
/// A login that nobody asks about makes room for another after three of its intervals and this many
/// seconds: whoever began it has gone, or only wanted to take the room.
const SILENCE: f64 = 30.0;
/// Seconds that a login may take, whatever the provider says.
const LONGEST: f64 = 1800.0;
/// Seconds between two questions, at least and at most.
const INTERVALS: (f64, f64) = (1.0, 60.0);
/// Seconds more, each time the provider wants it (RFC 8628, section 3.5).
const SLOWER: f64 = 5.0;

/// Logins that have begun, by device code.
#[derive(Default)]
pub(super) struct Logins {
    begun: HashMap<String, Login>,
    /// How often logins have begun, in all and by address.
    pace: Option<Bucket>,
    paces: HashMap<Option<IpAddr>, Bucket>,
}

struct Login {
    until: Timestamp,
    /// When somebody asked about it last.
    asked: Timestamp,
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
    /// Counts a login that somebody at this address wants to begin.
    pub(super) fn take_room(
        &mut self,
        peer: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        self.begun.retain(|_, login| login.until > now);
        if self.begun.len() >= MOST {
            self.begun.retain(|_, login| !login.is_silent(now));
        }
        self.paces.retain(|_, pace| !pace.is_full(now));
        let full = |most| Bucket {
            left: most,
            at: now,
        };
        let all = self.pace.get_or_insert_with(|| full(PER_MINUTE));
        let theirs = self.paces.entry(peer.map(network));
        let theirs = theirs.or_insert_with(|| full(PER_MINUTE_OF_ONE));
        let is_room = self.begun.len() < MOST;
        if is_room && theirs.take(PER_MINUTE_OF_ONE, now) && all.take(PER_MINUTE, now) {
            Ok(())
        } else {
            Err(too_many())
        }
    }

    /// Notes a login that has begun, and says what its user is told.
    pub(super) fn add(&mut self, begun: Begun, now: Timestamp) -> control::Login {
        let interval = begun.interval.clamp(INTERVALS.0, INTERVALS.1).ceil();
        let expires_in = begun.expires_in.clamp(1.0, LONGEST).floor();
        let login = Login {
            until: now + expires_in,
            asked: now,
            interval,
            next: now + interval,
        };
        self.begun.insert(begun.device_code.clone(), login);
        control::Login {
            auth_type: OIDC.to_owned(),
            place: place(&begun),
            device_code: begun.device_code,
            // Small and above 0 by now.
            expires_in: Duration::from_secs_f64(expires_in),
            interval: Duration::from_secs_f64(interval),
        }
    }

    /// Takes over a login that began at another SuperLink, unless there is no room.
    pub(super) fn take_over(&mut self, device_code: &str, login: KnownLogin, now: Timestamp) {
        if self.begun.len() < MOST {
            let login = Login {
                until: login.until,
                asked: now,
                interval: login.interval,
                next: now,
            };
            self.begun.entry(device_code.to_owned()).or_insert(login);
        }
    }

    /// What other SuperLinks have to know of a login.
    pub(super) fn known(&self, device_code: &str) -> Option<KnownLogin> {
        let login = self.begun.get(device_code)?;
        Some(KnownLogin {
            until: login.until,
            interval: login.interval,
        })
    }

    /// What is to be done about a question that comes now.
    pub(super) fn turn(&mut self, device_code: &str, now: Timestamp) -> Turn {
        let login = self.begun.get_mut(device_code);
        let Some(login) = login.filter(|login| login.until > now) else {
            return Turn::Unknown;
        };
        login.asked = now;
        if login.next > now {
            return Turn::Early;
        }
        login.next = now + login.interval;
        Turn::Ask
    }

    /// The provider wants to be asked less often.
    pub(super) fn slow_down(&mut self, device_code: &str) {
        if let Some(login) = self.begun.get_mut(device_code) {
            login.interval += SLOWER;
            login.next = login.next + SLOWER;
        }
    }

    /// It is over.
    pub(super) fn end(&mut self, device_code: &str) {
        self.begun.remove(device_code);
    }
}

impl Login {
    fn is_silent(&self, now: Timestamp) -> bool {
        now > self.asked + (3.0 * self.interval + SILENCE)
    }
}

/// What may still begin now. It fills up to its most within a minute.
#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl Bucket {
    /// Takes one, if there is one.
    fn take(&mut self, most: f64, now: Timestamp) -> bool {
        // A clock that is set back fills nothing.
        let passed = now.since(self.at).max(0.0);
        self.left = (self.left + passed / 60.0 * most).min(most);
        self.at = now;
        let is_left = self.left >= 1.0;
        if is_left {
            self.left -= 1.0;
        }
        is_left
    }

    /// Whether it has filled up since it was last used.
    fn is_full(&self, now: Timestamp) -> bool {
        now.since(self.at) >= 60.0
    }
}

/// The network of one customer: whoever has one address of IPv6 has 2^64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        v4 => v4,
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
        write!(f, "Logins({})", self.begun.len())
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
        let told = logins.add(begun("a", 5.0), NOON);
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
            let told = Logins::default().add(begun("a", interval), NOON);
            assert_eq!(told.interval, Duration::from_secs(1));
        }
    }

    fn peer(n: u8) -> Option<IpAddr> {
        Some(IpAddr::from([10, 0, 0, n]))
    }

    #[test]
    fn an_address_begins_so_many_logins_in_a_minute_and_no_more() {
        let mut logins = Logins::default();
        for _ in 0..60 {
            logins.take_room(peer(1), NOON).unwrap();
        }
        assert_eq!(logins.take_room(peer(1), NOON), Err(too_many()));
        logins.take_room(peer(2), NOON).unwrap();
        logins.take_room(peer(1), NOON + 1.0).unwrap();
        assert_eq!(logins.take_room(peer(1), NOON + 1.0), Err(too_many()));
        // The clock is set back by an hour: the address waits no longer for it.
        let earlier = NOON + -3600.0;
        assert_eq!(logins.take_room(peer(1), earlier), Err(too_many()));
        logins.take_room(peer(1), earlier + 1.0).unwrap();
        logins.take_room(peer(1), NOON + 120.0).unwrap();
        assert_eq!(
            logins.paces.len(),
            1,
            "who is not there any more is forgotten"
        );
    }

    #[test]
    fn all_addresses_together_begin_so_many_and_one_customer_is_one_address() {
        let mut logins = Logins::default();
        for n in 0..10 {
            for _ in 0..60 {
                logins.take_room(peer(n), NOON).unwrap();
            }
        }
        assert_eq!(logins.take_room(peer(11), NOON), Err(too_many()));

        let mut logins = Logins::default();
        let of = |n: u16| Some(IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, n]));
        for n in 0..60 {
            logins.take_room(of(n), NOON).unwrap();
        }
        assert_eq!(logins.take_room(of(99), NOON), Err(too_many()));
    }

    #[test]
    fn logins_that_nobody_asks_about_make_room_for_others() {
        let mut logins = Logins::default();
        let at = |n: usize| NOON + n as f64 * 0.01;
        for n in 0..MOST {
            logins.add(begun(&format!("a{n}"), 5.0), at(n));
        }
        assert_eq!(logins.take_room(None, NOON + 44.0), Err(too_many()));
        let now = NOON + 120.0;
        assert_eq!(logins.turn("a0", now), Turn::Ask);
        logins.take_room(None, now).unwrap();
        assert_eq!(logins.turn("a1", now), Turn::Unknown);
        assert_ne!(
            logins.turn("a0", now),
            Turn::Unknown,
            "somebody asks about it"
        );
        assert_ne!(
            logins.turn(&format!("a{}", MOST - 1), now),
            Turn::Unknown,
            "it is young"
        );
        logins.take_room(None, NOON + 1000.0).unwrap();
        assert!(logins.begun.is_empty());
    }
}
