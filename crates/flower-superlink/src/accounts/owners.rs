//! Accounts that own something while nobody calls for them: the owners of join tokens. An account on a
//! list by its e-mail address or its group is known by what its last call has shown.

use std::collections::HashMap;

use flwr_core::time::Timestamp;
use parking_lot::Mutex;

use super::list::List;
use super::oidc::Claims;

/// The most accounts whose last call is remembered.
const MOST: usize = 10_000;

/// What is known of accounts that do not call.
#[derive(Debug)]
pub(super) struct Owners {
    /// What the last call of each account has shown, since the start.
    seen: Mutex<HashMap<String, Claims>>,
    /// When the list was last changed.
    changed: Mutex<Timestamp>,
}

impl Owners {
    /// Of a list that was last changed at this time.
    pub(super) fn new(changed: Timestamp) -> Self {
        Self {
            seen: Mutex::default(),
            changed: Mutex::new(changed),
        }
    }

    /// Notes what the call of an account that came in has shown.
    pub(super) fn note(&self, claims: &Claims) {
        let mut seen = self.seen.lock();
        if seen.len() < MOST || seen.contains_key(&claims.sub) {
            seen.insert(claims.sub.clone(), claims.clone());
        }
    }

    /// Notes that the list is another one from now on.
    pub(super) fn note_change(&self, now: Timestamp) {
        *self.changed.lock() = now;
    }

    /// Whether the account is still on the list, on which it was at `since`. If that cannot be known
    /// before the account calls, the answer is no.
    pub(super) fn are_listed(&self, list: &List, account: &str, since: Timestamp) -> bool {
        if list.names_account(account) {
            return true;
        }
        match self.seen.lock().get(account) {
            Some(claims) => list.account(claims).is_some(),
            None => list.names_others() && *self.changed.lock() < since,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::list::{Allow, Entry};
    use super::*;

    fn list(entries: &[Entry]) -> List {
        List {
            allow: Allow::Listed(entries.to_vec()),
            admins: Vec::new(),
            groups_claim: "groups".to_owned(),
        }
    }

    fn email(name: &str) -> Entry {
        Entry::Email(format!("{name}@example.org"))
    }

    fn claims(name: &str) -> Claims {
        let email = format!("{name}@example.org");
        let claims =
            json!({"iss": "i", "sub": name, "exp": 1, "email": email, "email_verified": true});
        serde_json::from_value(claims).unwrap()
    }

    const CHANGED: Timestamp = Timestamp::from_secs(100.0);

    #[test]
    fn an_account_by_its_id_is_on_the_list_as_long_as_it_stands_there() {
        let owners = Owners::new(CHANGED);
        let with = list(&[Entry::Sub("alice".to_owned())]);
        let without = list(&[Entry::Sub("bob".to_owned())]);
        for since in [50.0, 150.0].map(Timestamp::from_secs) {
            assert!(owners.are_listed(&with, "alice", since));
            assert!(!owners.are_listed(&without, "alice", since));
        }
        let any = List {
            allow: Allow::Any,
            ..list(&[])
        };
        assert!(owners.are_listed(&any, "alice", CHANGED));
    }

    #[test]
    fn an_account_by_its_address_is_known_by_its_last_call() {
        let owners = Owners::new(CHANGED);
        owners.note(&claims("alice"));
        let later = Timestamp::from_secs(150.0);
        assert!(owners.are_listed(&list(&[email("alice")]), "alice", later));
        assert!(!owners.are_listed(&list(&[email("bob")]), "alice", later));
    }

    #[test]
    fn an_account_that_has_not_called_is_on_the_list_if_that_has_not_changed_since() {
        let owners = Owners::new(CHANGED);
        let list = list(&[email("alice")]);
        let listed = |since| owners.are_listed(&list, "alice", Timestamp::from_secs(since));
        assert!(listed(150.0));
        assert!(!listed(50.0));
        owners.note_change(Timestamp::from_secs(200.0));
        assert!(!listed(150.0));
        owners.note(&claims("alice"));
        assert!(owners.are_listed(&list, "alice", CHANGED));
    }
}
