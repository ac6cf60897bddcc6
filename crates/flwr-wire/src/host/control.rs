//! The host of people.

use std::fmt;

use flwr_core::port::control::Tokens;
use flwr_core::port::{Control, JoinTokens, Result, SignIn};

use super::{Head, Host};

/// How a person proves an account: by tokens. They mean nothing where nobody signs in.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct AccountProof {
    /// Proves who calls.
    pub access: Option<String>,
    /// Gets new tokens, where the access token has expired.
    pub refresh: Option<String>,
}

/// What a host says to a person who calls.
#[derive(Debug)]
pub struct Admission<C> {
    /// The session, or why there is none.
    pub session: Result<C>,
    /// New tokens for the caller, also where there is no session: the old ones may be void.
    pub fresh: Option<Tokens>,
}

/// The SuperLink, as the door for people sees it.
pub trait ControlHost: Host {
    /// A session of a person.
    type Control: Control + JoinTokens;
    /// The login of a person.
    type SignIn: SignIn;

    /// Opens a session for whoever gives this proof.
    fn admit(
        &self,
        proof: AccountProof,
        head: &Head,
    ) -> impl Future<Output = Admission<Self::Control>> + Send;

    /// What a person calls who has no tokens yet.
    fn sign_in(&self, head: &Head) -> Self::SignIn;
}

/// Tokens are not printed.
impl fmt::Debug for AccountProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountProof")
    }
}
