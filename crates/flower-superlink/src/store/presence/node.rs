//! What memory knows of a node, and who has heard its last sign of life.
//!
//! The times of a node are as exact as its row: what this SuperLink has heard, or what another SuperLink has
//! written. The other may have heard more since: for that the node has [`LATE`] more seconds, wherever it is
//! asked whether the node is there.

use flwr_core::port::control::NodeStatus;
use flwr_core::time::Timestamp;

use super::others::{LATE, Seen};
use crate::link::state::{KnownNode, Outlook, RETURN};

#[derive(Debug)]
pub(super) struct Node {
    pub(super) known: KnownNode,
    /// A sign of life came in the node's session.
    pub(super) heard: bool,
    /// Counts the writes after which there may be a message for the node.
    pub(super) version: u64,
    /// The version at which nothing was queued for the node. While it is still of that version,
    /// nobody needs to look.
    pub(super) nothing_at: Option<u64>,
    /// The edition of the row that was read last.
    pub(super) edition: i64,
    /// What [`Inner::changes`](super::Inner::changes) was when this SuperLink last changed the node.
    pub(super) changed_at: u64,
    /// Signs of life came that are not written.
    pub(super) is_unwritten: bool,
    /// The last sign of life is one that another SuperLink heard.
    is_elsewhere: bool,
    /// Until when the node was online by its row when this SuperLink last read or wrote the row.
    row: Timestamp,
    /// This SuperLink has written that.
    is_row_own: bool,
}

/// What signs of life have changed of a node.
#[derive(Debug)]
pub(in crate::store) struct NodeSign {
    pub(in crate::store) node: KnownNode,
    /// Whether the node was heard in its session.
    pub(in crate::store) heard: bool,
    /// What this SuperLink has written, if it knows of no other writer. A row that is still so may be lowered:
    /// by a clock that was set back, or a node that announces shorter intervals.
    pub(in crate::store) own_row: Option<Timestamp>,
}

impl Node {
    /// A node as its row has it, written by another SuperLink.
    pub(super) fn new(known: KnownNode, heard: bool, edition: i64, changed_at: u64) -> Self {
        Self {
            heard,
            version: 0,
            nothing_at: None,
            edition,
            changed_at,
            is_unwritten: false,
            is_elsewhere: true,
            row: known.online_until,
            is_row_own: false,
            known,
        }
    }

    /// The row has what is known here, and this SuperLink has written that.
    pub(super) const fn is_written(&mut self) {
        self.is_elsewhere = false;
        self.row = self.known.online_until;
        self.is_row_own = true;
    }

    /// The SuperLink starts, and the row was written before. A node that was there at `seen_at` has time to
    /// return.
    pub(super) fn returns(&mut self, seen_at: Timestamp, has_others: bool, now: Timestamp) {
        if !has_others {
            self.is_written();
        }
        match self.known.outlook() {
            Outlook::There(until) if until > seen_at => {
                let returns_until = now + RETURN;
                if returns_until > until {
                    self.known.online_until = returns_until;
                    self.is_elsewhere = false;
                    // The next start, and other SuperLinks, are to know of the time.
                    self.is_unwritten = true;
                }
            }
            // It could not return meanwhile.
            Outlook::Left(until) if until > seen_at && !has_others => {
                self.known.online_until = now;
                self.known.deactivated_at = Some(now);
                self.is_unwritten = true;
            }
            _ => {}
        }
    }

    /// Seconds that another SuperLink may know more.
    fn slack(&self) -> f64 {
        // A node that never came stays away, and a node that left does, too.
        let may_be_there = self.known.online_until > Timestamp::ZERO && !self.known.has_left();
        match self.is_elsewhere && may_be_there {
            true => LATE,
            false => 0.0,
        }
    }

    pub(super) fn status(&self, now: Timestamp) -> NodeStatus {
        match self.is_online(now) {
            true => NodeStatus::Online,
            false => self.known.status(now),
        }
    }

    pub(super) fn is_online(&self, now: Timestamp) -> bool {
        self.known.online_until + self.slack() > now
    }

    pub(super) fn outlook(&self) -> Outlook {
        match self.known.outlook() {
            Outlook::There(until) => Outlook::There(until + self.slack()),
            left @ Outlook::Left(_) => left,
        }
    }

    pub(super) const fn hear(&mut self) {
        self.is_unwritten |= !self.heard;
        self.heard = true;
    }

    pub(super) fn keep(&mut self, until: Timestamp, now: Timestamp) {
        if self.is_online(now) && self.known.status(now) != NodeStatus::Online {
            // Another SuperLink may have heard the node since: nobody has missed it.
            self.known.online_until = until;
        } else {
            self.known.keep(until, now);
        }
        self.is_elsewhere = false;
        self.is_unwritten = true;
    }

    /// The node by its row, with what this SuperLink has heard in the same session and not written.
    pub(super) fn latest(&self, mut row: KnownNode) -> KnownNode {
        let is_own = self.is_row_own && row.online_until == self.row;
        let is_later = is_own || self.known.online_until > row.online_until;
        if row.session == self.known.session && !self.is_elsewhere && is_later {
            row.activated_at = self.known.activated_at;
            row.deactivated_at = self.known.deactivated_at;
            row.online_until = self.known.online_until;
        }
        row
    }

    /// What is to be written. What another SuperLink has heard is not this one's to write.
    pub(super) fn sign(&self) -> NodeSign {
        let mut node = self.known.clone();
        if self.is_elsewhere {
            node.online_until = self.row;
        }
        NodeSign {
            node,
            heard: self.heard,
            own_row: self.is_row_own.then_some(self.row),
        }
    }

    /// This sign of life was written.
    pub(super) fn sign_is_written(&mut self, sign: &NodeSign) {
        let until = sign.node.online_until;
        if sign.node.session != self.known.session {
            return;
        }
        let is_last = self.is_elsewhere || self.known.online_until == until;
        self.is_unwritten &= !(is_last && self.heard == sign.heard);
        if self.row != until {
            self.row = until;
            self.is_row_own = true;
        }
    }

    /// Takes in what another SuperLink may have written in the same session.
    pub(super) fn see(&mut self, seen: &Seen) {
        self.heard |= seen.heard;
        let before = std::mem::replace(&mut self.row, seen.online_until);
        if seen.online_until == before {
            return;
        }
        self.is_row_own = false;
        // What this SuperLink heard itself stands until another has heard the node for longer.
        if self.is_elsewhere || seen.online_until > self.known.online_until {
            self.known.activated_at = seen.activated_at;
            self.known.deactivated_at = seen.deactivated_at;
            self.known.online_until = seen.online_until;
            self.is_elsewhere = true;
        }
    }

    /// The clock was set. What others have heard they move by themselves, a moment sooner or later: until then
    /// the node has the longer time.
    pub(super) fn move_lease(&mut self, seconds: f64) {
        if !self.is_elsewhere || seconds > 0.0 {
            self.known.move_lease(seconds);
        }
        self.is_unwritten |= !self.is_elsewhere;
    }

    /// Nobody could give a sign of life to this SuperLink.
    pub(super) fn extend_lease(&mut self, since: Timestamp, seconds: f64) {
        if self.outlook().until() > since {
            self.move_lease(seconds);
        }
    }

    /// Others could not tell what they have heard for so many seconds before `now`: a node that had time
    /// left then has time to give another sign of life.
    pub(super) fn return_after(&mut self, seconds: f64, now: Timestamp) {
        if self.is_online(now + -seconds) && !self.known.has_left() {
            self.known.online_until = self.known.online_until.max(now + RETURN);
        }
    }
}
