//! Which accounts may come in, and which of them are admins.

use std::fmt;

use crate::accounts::oidc::Claims;

use crate::link::Principal;

/// Somebody who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The `sub` of its tokens: what its runs carry.
    pub id: String,
    /// A name for logs, which may change.
    pub name: String,
    /// Whether the runs of others are theirs too.
    pub admin: bool,
}

/// Who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Which accounts.
    pub allow: Allow,
    /// Which of them are admins; they may come in also when they are not among the others.
    pub admins: Vec<Entry>,
    /// The claim that names an account's groups.
    pub groups_claim: String,
}

/// Which accounts may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allow {
    /// Everybody to whom the provider gives a token for this SuperLink.
    Any,
    /// Those.
    Listed(Vec<Entry>),
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The account with this `sub`.
    Sub(String),
    /// The account with this e-mail address, which the provider must have verified.
    Email(String),
    /// The accounts of this group.
    Group(String),
}

impl List {
    /// The account with these claims, if it may come in.
    #[must_use]
    pub fn account(&self, claims: &Claims) -> Option<Account> {
        let is_on = |entries: &[Entry]| entries.iter().any(|entry| self.names(entry, claims));
        let admin = is_on(&self.admins);
        let allowed = admin
            || match &self.allow {
                Allow::Any => true,
                Allow::Listed(entries) => is_on(entries),
            };
        allowed.then(|| Account {
            id: claims.sub.clone(),
            name: claims.name().to_owned(),
            admin,
        })
    }

    /// Whether the list names the account by its id, or lets every account in.
    pub(super) fn names_account(&self, id: &str) -> bool {
        let is_named = |entry: &Entry| matches!(entry, Entry::Sub(named) if named == id);
        self.allow == Allow::Any || self.entries().any(is_named)
    }

    /// Whether the list names accounts by something else than their ids.
    pub(super) fn names_others(&self) -> bool {
        self.entries().any(|entry| !matches!(entry, Entry::Sub(_)))
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        let allowed = match &self.allow {
            Allow::Any => &[][..],
            Allow::Listed(entries) => entries,
        };
        allowed.iter().chain(&self.admins)
    }

    fn names(&self, entry: &Entry, claims: &Claims) -> bool {
        match entry {
            Entry::Sub(id) => *id == claims.sub,
            Entry::Email(email) => claims
                .verified_email()
                .is_some_and(|theirs| theirs.eq_ignore_ascii_case(email)),
            Entry::Group(group) => claims
                .words(&self.groups_claim)
                .any(|theirs| theirs == group),
        }
    }
}

impl Account {
    /// As the domain knows them.
    #[must_use]
    pub fn principal(&self) -> Principal {
        Principal::Account {
            id: self.id.clone(),
            name: self.name.clone(),
            admin: self.admin,
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.allow {
            Allow::Any => f.write_str("any account")?,
            Allow::Listed(entries) => write!(f, "{} accounts or groups", entries.len())?,
        }
        write!(f, " and {} admins", self.admins.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claims(rest: &Value) -> Claims {
        let mut claims = json!({"iss": "i", "sub": "alice-1", "exp": 1});
        for (name, value) in rest.as_object().unwrap() {
            claims[name] = value.clone();
        }
        serde_json::from_value(claims).unwrap()
    }

    fn list(allow: Allow, admins: Vec<Entry>) -> List {
        List {
            allow,
            admins,
            groups_claim: "groups".to_owned(),
        }
    }

    #[test]
    fn an_account_is_known_by_id_verified_email_or_group() {
        let email = || Entry::Email("Alice@example.org".to_owned());
        let group = || Entry::Group("flower".to_owned());
        for (entry, rest, is_on) in [
            (Entry::Sub("alice-1".to_owned()), json!({}), true),
            (
                Entry::Sub("alice".to_owned()),
                json!({"preferred_username": "alice"}),
                false,
            ),
            (Entry::Sub("ALICE-1".to_owned()), json!({}), false),
            (
                email(),
                json!({"email": "alice@example.org", "email_verified": true}),
                true,
            ),
            (
                email(),
                json!({"email": "alice@example.org", "email_verified": false}),
                false,
            ),
            (email(), json!({"email": "alice@example.org"}), false),
            (
                email(),
                json!({"email": "bob@example.org", "email_verified": true}),
                false,
            ),
            (group(), json!({"groups": ["other", "flower"]}), true),
            (group(), json!({"groups": ["flowers"]}), false),
            (group(), json!({"roles": ["flower"]}), false),
            (group(), json!({}), false),
        ] {
            let claims = claims(&rest);
            let allowed = list(Allow::Listed(vec![entry.clone()]), vec![]);
            let account = allowed.account(&claims);
            assert_eq!(account.is_some(), is_on, "{entry:?} {claims:?}");
            assert!(account.is_none_or(|account| !account.admin));
            let admins = list(Allow::Listed(vec![]), vec![entry.clone()]);
            let admin = admins.account(&claims);
            assert_eq!(
                admin.is_some_and(|account| account.admin),
                is_on,
                "{entry:?}"
            );
        }
    }

    #[test]
    fn any_account_is_one_and_no_admin() {
        let account = list(Allow::Any, vec![]).account(&claims(&json!({})));
        assert!(account.is_some_and(|account| !account.admin));
    }
}
