//! Registrations that nothing proves yet. A CreateNode of flwr 1.8 to 1.14 carries no HMAC: the node
//! learns the SuperLink's key by its answer. Anybody who knows a listed key can send one. The
//! registration therefore takes effect at the node's first good HMAC, and only over the connection
//! of the registration: a registration by somebody else must not begin a session of a node that
//! works.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use flwr_security::allow_list::AllowList;
use flwr_security::key::PublicKey;
use parking_lot::Mutex;

/// The other end of a connection, where the listener has told it.
type Connection = Option<SocketAddr>;

/// Seconds between two heartbeats of a node whose registration is forgotten: what all these releases
/// ask for.
const INTERVAL: f64 = 30.0;

/// Each listed key's latest registration.
#[derive(Debug, Default)]
pub(super) struct Newcomers(Mutex<HashMap<PublicKey, Newcomer>>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Newcomer {
    /// The node registered over this connection.
    Waiting {
        interval: f64,
        connection: Connection,
    },
    /// The node has shown its HMAC, and its session begins.
    Beginning,
}

/// The beginning of a node's session. A second call of the node does not begin the session again
/// while this lives.
#[derive(Debug)]
pub(super) struct Beginning {
    newcomers: Arc<Newcomers>,
    key: PublicKey,
    /// Seconds between two heartbeats.
    pub(super) interval: f64,
}

impl Newcomers {
    /// A node asks to be registered with this listed key.
    pub(super) fn add(
        &self,
        key: PublicKey,
        interval: f64,
        connection: Connection,
        allowed: &AllowList,
    ) {
        let mut waiting = self.0.lock();
        let newcomer = Newcomer::Waiting {
            interval,
            connection,
        };
        waiting.insert(key, newcomer);
        if waiting.len() > allowed.len() {
            waiting.retain(|key, _| allowed.contains(key));
        }
    }

    /// The holder of the key has shown a good HMAC over this connection. Gives the session to begin,
    /// if one is to begin: the node registered over this connection, or `is_new` to this generation.
    pub(super) fn prove(
        self: &Arc<Self>,
        key: &PublicKey,
        connection: Connection,
        is_new: bool,
    ) -> Option<Beginning> {
        let mut waiting = self.0.lock();
        let interval = match waiting.get(key) {
            Some(Newcomer::Beginning) => return None,
            Some(Newcomer::Waiting {
                interval,
                connection: of,
            }) => (is_new || *of == connection).then_some(*interval),
            None => is_new.then_some(INTERVAL),
        }?;
        waiting.insert(key.clone(), Newcomer::Beginning);
        Some(Beginning {
            newcomers: Arc::clone(self),
            key: key.clone(),
            interval,
        })
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        let mut waiting = self.newcomers.0.lock();
        // The node may have registered again meanwhile.
        if waiting.get(&self.key) == Some(&Newcomer::Beginning) {
            waiting.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use flwr_security::key::PrivateKey;

    use super::*;

    fn connection(port: u16) -> Connection {
        Some(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    fn key() -> (PublicKey, AllowList) {
        let key = PrivateKey::generate().unwrap().public_key().clone();
        let list = AllowList::parse(key.to_openssh().as_bytes(), "keys.csv".as_ref()).unwrap();
        (key, list)
    }

    #[test]
    fn a_registration_begins_a_session_once_and_over_its_own_connection() {
        let (key, list) = key();
        let newcomers = Arc::new(Newcomers::default());
        newcomers.add(key.clone(), 45.0, connection(1), &list);
        assert!(newcomers.prove(&key, connection(2), false).is_none());
        let begun = newcomers.prove(&key, connection(1), false).unwrap();
        assert_eq!(begun.interval, 45.0);
        assert!(newcomers.prove(&key, connection(1), true).is_none());
        drop(begun);
        assert!(newcomers.prove(&key, connection(1), false).is_none());
        let forgotten = newcomers.prove(&key, connection(3), true).unwrap();
        assert_eq!(forgotten.interval, INTERVAL);
    }

    #[test]
    fn registrations_go_with_their_keys() {
        let ((one, list), (other, others)) = (key(), key());
        let newcomers = Arc::new(Newcomers::default());
        newcomers.add(one.clone(), 30.0, None, &list);
        newcomers.add(other.clone(), 30.0, None, &others);
        assert!(!newcomers.0.lock().contains_key(&one));
        assert!(newcomers.prove(&other, None, false).is_some());
    }
}
