//! Verifies a token. The checks in their order: the token is signed; its algorithm has a public
//! key; a key of the provider made the signature; issuer and audience are right; the token names an
//! account; the token is valid already; the token has not expired. A token that fails only the last
//! check may be refreshed.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use thiserror::Error;
use time::OffsetDateTime;

use super::{Claims, Keys};

/// Algorithms with public keys. `none` has no place in the type, and HS256 and its like are not
/// here: their key would be one that everybody can read.
const ALLOWED: [Algorithm; 7] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// Seconds that the provider's clock and ours may differ by.
const LEEWAY: f64 = 30.0;
/// Longer tokens are not looked at: with it they would not fit into what gRPC lets through.
const LONGEST: usize = 16 << 10;

/// What a token must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Who issued it.
    pub issuer: String,
    /// For whom: one of these.
    pub audience: Vec<String>,
}

/// A token that was good.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It still is.
    Good(Claims),
    /// Its time is over, and that is all that is wrong with it.
    Expired(Claims),
}

/// Why a token proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is none.
    #[error("it is no signed token")]
    Malformed,
    /// Its algorithm is none of those with a public key, or it has critical extensions.
    #[error("it is signed in a way that is not allowed")]
    Algorithm,
    /// The provider does not publish the key that it names, or that made it.
    #[error("it is signed by a key that the provider does not publish")]
    UnknownKey,
    /// The signature is wrong.
    #[error("its signature is wrong")]
    Signature,
    /// It is of somebody else.
    #[error("it is of another issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("it is for another audience")]
    Audience,
    /// Its time has not come.
    #[error("it is not valid yet")]
    Early,
    /// Something that must be there is not, or is something else.
    #[error("its claims are not usable: `iss`, `sub`, `aud` and `exp` are needed")]
    Claims,
}

/// What a token proves at `now`.
///
/// # Errors
/// If nothing.
pub fn verify(
    token: &str,
    keys: &Keys,
    rules: &Rules,
    now: OffsetDateTime,
) -> Result<Verdict, Refused> {
    if token.len() > LONGEST {
        return Err(Refused::Malformed);
    }
    // `none` is no algorithm to the library: such a token ends here.
    let header = decode_header(token).map_err(|_| Refused::Malformed)?;
    if !ALLOWED.contains(&header.alg) || header.crit.is_some() || header.enc.is_some() {
        return Err(Refused::Algorithm);
    }
    let validation = validation(header.alg, rules);
    let named = header.kid.is_some();
    let mut refused = Refused::UnknownKey;
    for key in keys.candidates(header.kid.as_deref(), header.alg) {
        match decode::<Claims>(token, key, &validation) {
            Ok(token) => return judge(token.claims, now),
            Err(error) => match error.kind() {
                // Another may have made it, where it does not say which did.
                ErrorKind::InvalidSignature if !named => {}
                kind => refused = reason(kind),
            },
        }
    }
    Err(refused)
}

/// All but the times, which are judged by the caller's clock.
fn validation(algorithm: Algorithm, rules: &Rules) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_issuer(&[&rules.issuer]);
    validation.set_audience(&rules.audience);
    // What is absent is not looked at otherwise.
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
}

const fn reason(kind: &ErrorKind) -> Refused {
    match kind {
        ErrorKind::InvalidSignature => Refused::Signature,
        ErrorKind::InvalidIssuer => Refused::Issuer,
        ErrorKind::InvalidAudience => Refused::Audience,
        ErrorKind::InvalidToken | ErrorKind::Base64(_) => Refused::Malformed,
        _ => Refused::Claims,
    }
}

fn judge(claims: Claims, now: OffsetDateTime) -> Result<Verdict, Refused> {
    // Seconds of a double are exact to the microsecond for thousands of years.
    let now = now.unix_timestamp() as f64;
    if claims.sub.is_empty() || !claims.exp.is_finite() {
        return Err(Refused::Claims);
    }
    if claims.nbf.is_some_and(|start| start > now + LEEWAY) {
        return Err(Refused::Early);
    }
    if claims.exp + LEEWAY <= now {
        return Ok(Verdict::Expired(claims));
    }
    Ok(Verdict::Good(claims))
}
