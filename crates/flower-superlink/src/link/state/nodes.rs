//! What must not be forgotten of nodes.

use async_trait::async_trait;
use flwr_core::id::NodeId;
use flwr_core::port::control::NodeStatus;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;

use super::{StateResult, Written};

/// Seconds that a node has to return: after it left, while an instruction waits for its reply, and
/// after the SuperLink itself was gone. As long as Flower's nodes may be silent (two heartbeat
/// intervals of 30 s).
pub const RETURN: f64 = 60.0;

/// The number of a node's session. Each activation begins a session, and each departure ends one:
/// a call belongs to the session in which it was made.
pub type Session = u64;

/// How a node came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its id.
    pub node: NodeId,
    /// The key was bound already: the node has its id back.
    pub resumed: bool,
}

/// What a person says who registers a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The key by which the node proves itself.
    pub key: PublicKey,
    /// The account of the person; empty where nobody signs in.
    pub owner: String,
    /// What people call the node.
    pub name: Option<String>,
    /// Degrees of latitude and longitude.
    pub location: Option<String>,
}

/// What was last seen of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traits {
    /// The release of Flower that the node told.
    pub release: Option<String>,
    /// The subject of the certificate that the node showed.
    pub certificate: Option<String>,
}

/// A node, as it stands in the state.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownNode {
    /// Its id.
    pub id: NodeId,
    /// The key it proves itself with.
    pub key: PublicKey,
    /// The key that it has from the first call on that it makes with that key.
    pub next_key: Option<PublicKey>,
    /// The account that registered the node, empty where nobody signs in. `None`: the node
    /// registered itself.
    pub owner: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// Degrees of latitude and longitude.
    pub location: Option<String>,
    /// What was last seen of it.
    pub traits: Traits,
    /// The name of the wire that the node speaks, if it was noted.
    pub wire: Option<String>,
    /// The session in which the node is, or was last; 0 before the first.
    pub session: Session,
    /// When the node was registered. `None`: by a program that did not note the time.
    pub registered_at: Option<Timestamp>,
    /// When the node last came online, as far as that was noted.
    pub activated_at: Option<Timestamp>,
    /// When the node last went offline. A node whose time is up has gone offline then; the field
    /// says so once the node returns, [`Self::last_deactivated_at`] at any time.
    pub deactivated_at: Option<Timestamp>,
    /// When the node was unregistered.
    pub unregistered_at: Option<Timestamp>,
    /// Until when it counts as online; 0 before it is online for the first time.
    pub online_until: Timestamp,
}

/// Until when a reply of a node is waited for, unless the node gives a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// Until it counts as lost.
    There(Timestamp),
    /// It has left, and may return until then: an orderly restart is not the end of its work.
    Left(Timestamp),
}

impl Outlook {
    /// The moment.
    #[must_use]
    pub const fn until(self) -> Timestamp {
        match self {
            Self::There(until) | Self::Left(until) => until,
        }
    }
}

/// The steps of a node's life. A state keeps their outcome.
impl KnownNode {
    /// A node that registered itself at `now`.
    #[must_use]
    pub fn registered(id: NodeId, key: PublicKey, now: Timestamp) -> Self {
        Self {
            id,
            key,
            next_key: None,
            owner: None,
            name: None,
            location: None,
            traits: Traits::default(),
            wire: None,
            session: 0,
            registered_at: Some(now),
            activated_at: None,
            deactivated_at: None,
            unregistered_at: None,
            online_until: Timestamp::ZERO,
        }
    }

    /// A person registers the node.
    pub fn enroll(&mut self, enrolment: &Enrolment) {
        self.owner = Some(enrolment.owner.clone());
        self.name.clone_from(&enrolment.name);
        self.location.clone_from(&enrolment.location);
    }

    /// The node begins a session, online until `until`.
    pub fn activate(&mut self, until: Timestamp, now: Timestamp) {
        self.deactivated_at = self.last_deactivated_at(now);
        self.activated_at = Some(now);
        self.session += 1;
        self.online_until = until;
    }

    /// The node gives a sign of life.
    pub fn keep(&mut self, until: Timestamp, now: Timestamp) {
        if self.status(now) != NodeStatus::Online {
            self.deactivated_at = self.last_deactivated_at(now);
            self.activated_at = Some(now);
        }
        self.online_until = until;
    }

    /// The node ends its session.
    pub fn deactivate(&mut self, now: Timestamp) {
        self.session += 1;
        if self.status(now) == NodeStatus::Online {
            self.online_until = now;
        }
        self.deactivated_at = self.last_deactivated_at(now);
    }

    /// Whether the key is the node's, or will be.
    #[must_use]
    pub fn has_key(&self, key: &PublicKey) -> bool {
        self.key == *key || self.next_key.as_ref() == Some(key)
    }

    /// The node has another key. Calls with the old one are of an earlier session.
    pub fn change_key(&mut self, key: PublicKey) {
        self.key = key;
        self.next_key = None;
        self.session += 1;
    }

    /// The node goes for good.
    pub fn unregister(&mut self, now: Timestamp) {
        self.deactivate(now);
        self.unregistered_at = Some(now);
    }

    /// Where the node stands at `now`.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> NodeStatus {
        if self.unregistered_at.is_some() {
            NodeStatus::Unregistered
        } else if self.online_until > now {
            NodeStatus::Online
        } else if self.online_until > Timestamp::ZERO {
            NodeStatus::Offline
        } else {
            NodeStatus::Registered
        }
    }

    /// When the node last went offline, as seen at `now`.
    #[must_use]
    pub fn last_deactivated_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.status(now) {
            NodeStatus::Offline => Some(self.online_until),
            _ => self.deactivated_at,
        }
    }

    /// Whether the node ended its session itself, and began no other.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.deactivated_at
            .is_some_and(|left| left >= self.online_until)
    }

    /// The clock was set, by so many seconds: what the node has left of its time stays.
    pub fn move_lease(&mut self, seconds: f64) {
        if self.online_until == Timestamp::ZERO {
            return;
        }
        if self.has_left() {
            self.deactivated_at = self.deactivated_at.map(|left| left + seconds);
        }
        self.online_until = self.online_until + seconds;
    }

    /// Nobody could give a sign of life for so many seconds after `since`: what the node had left of
    /// its time then, it has again.
    pub fn extend_lease(&mut self, since: Timestamp, seconds: f64) {
        if self.outlook().until() > since {
            self.move_lease(seconds);
        }
    }

    /// Until when the node's replies are waited for.
    #[must_use]
    pub fn outlook(&self) -> Outlook {
        match self.deactivated_at {
            Some(left) if self.has_left() => Outlook::Left(left + RETURN),
            _ => Outlook::There(self.online_until),
        }
    }

    /// The last moment at which the node was there, or was registered to come.
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        let registered = self.registered_at.unwrap_or(Timestamp::ZERO);
        let seen = self.online_until.max(registered);
        self.unregistered_at.unwrap_or(seen)
    }
}

/// Nodes: their keys, their life, and until when they count as online.
#[async_trait]
pub trait Nodes {
    /// Binds the key to a node. The node is not online by that.
    ///
    /// # Behavior
    /// - a new key, or the key of a node that was unregistered: the node is named `fresh`
    /// - a key that is bound: its node stands as it was
    async fn register_node(
        &self,
        key: &PublicKey,
        fresh: NodeId,
        now: Timestamp,
    ) -> Written<Registration>;

    /// A person registers a node. The node is not online by that. Refused with
    /// [`Refusal::KeyInUse`](flwr_core::refusal::Refusal::KeyInUse) if a person has registered the
    /// key.
    ///
    /// # Behavior
    /// - a new key, or the key of a node that was unregistered: the node is named `fresh`
    /// - a key that registered itself: its node has an owner from now on
    /// - a key that was dismissed is so no more
    async fn enroll_node(
        &self,
        enrolment: &Enrolment,
        fresh: NodeId,
        now: Timestamp,
    ) -> Written<NodeId>;

    /// A person unregisters the node, and its key is dismissed. Unknown: nothing happens.
    async fn dismiss_node(&self, node: NodeId, now: Timestamp) -> Written<()>;

    /// Whether the node of this key was dismissed, and no person has registered the key since.
    fn is_dismissed(&self, key: &PublicKey) -> bool;

    /// Whether the node is registered, and the key is the node's or will be.
    fn is_key_of(&self, key: &PublicKey, node: NodeId) -> bool;

    /// Begins the node's next session, online until `until`. What the node took but did not answer
    /// is handed out again, since whoever took it is gone; a reply that it had begun to push goes.
    /// The wire does not say whether the same process registers again. pip's SuperNodes (1.20 to
    /// 1.43) register once per process: after that the process has forgotten its reply, and answers
    /// by another. The half reply would refuse that answer. A SuperNode of ours announces again.
    /// Refused with [`Refusal::NotRegistered`](flwr_core::refusal::Refusal::NotRegistered) if the
    /// node is not known.
    async fn activate_node(
        &self,
        node: NodeId,
        until: Timestamp,
        now: Timestamp,
    ) -> Written<Session>;

    /// The node lives: it is online until `until`. False if it is not known.
    async fn keep_node(&self, node: NodeId, until: Timestamp, now: Timestamp) -> StateResult<bool>;

    /// Ends the node's session: the node is offline and keeps its key. Unknown: nothing happens.
    async fn deactivate_node(&self, node: NodeId, now: Timestamp) -> Written<()>;

    /// Ends the node's life and frees its key. Unknown: nothing happens. What is known of the node
    /// stays, until it is forgotten.
    async fn unregister_node(&self, node: NodeId, now: Timestamp) -> Written<()>;

    /// The node bound to this key.
    async fn node_of_key(&self, key: &PublicKey) -> StateResult<Option<NodeId>>;

    /// The node's session. `None`: the node is not known, or unregistered.
    async fn session(&self, node: NodeId) -> StateResult<Option<Session>>;

    /// The node has given a sign of life in its session. As all signs of life, this need not be on
    /// disk at once.
    fn hear_node(&self, node: NodeId);

    /// Whether the node has given a sign of life in its session.
    fn was_heard(&self, node: NodeId) -> bool;

    /// Notes the name of the wire that the node speaks. Unknown: nothing happens.
    async fn note_wire(&self, node: NodeId, wire: &str) -> StateResult<()>;

    /// The name of the wire that the node speaks, if it was noted.
    async fn wire(&self, node: NodeId) -> StateResult<Option<String>>;

    /// Notes what was seen of the node. Unknown: nothing happens.
    async fn note_traits(&self, node: NodeId, traits: &Traits) -> StateResult<()>;

    /// Notes that a node was seen by a certificate of this owner. The note stays for ever: a person
    /// with a certificate of the same owner would be the node.
    async fn note_certificate(&self, owner: &str) -> StateResult<()>;

    /// Whether a node was seen by a certificate of this owner.
    fn is_of_node(&self, owner: &str) -> bool;

    /// The node, also if it is unregistered.
    async fn node(&self, node: NodeId) -> StateResult<Option<KnownNode>>;

    /// All nodes in the order of their ids, with those that are unregistered.
    async fn nodes(&self) -> StateResult<Vec<KnownNode>>;

    /// The nodes online at `now`, in the order of their ids.
    async fn online_nodes(&self, now: Timestamp) -> StateResult<Vec<NodeId>>;
}
