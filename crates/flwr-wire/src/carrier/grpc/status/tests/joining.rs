//! Refusals of nodes that join, which programs of ours read alone.

use flwr_core::refusal::JoinRefusal;

use super::*;

pub(super) fn all() -> Vec<Number> {
    let make = "make another with `flwr supernode join-token new`";
    let rows = [
        (
            JoinRefusal::NotOffered,
            FailedPrecondition,
            "SuperNodes do not join by tokens here: the SuperLink was started without --enable-supernode-auth".to_owned(),
        ),
        (
            JoinRefusal::NeedsTls13,
            FailedPrecondition,
            "joining needs TLS 1.3 up to the SuperLink: a proxy that ends TLS between is in the way, or an end that speaks TLS 1.2 only".to_owned(),
        ),
        (
            JoinRefusal::UnknownToken,
            Unauthenticated,
            format!("the SuperLink does not know this join token: {make}"),
        ),
        (
            JoinRefusal::Proof,
            Unauthenticated,
            "the proof of the key does not hold on this connection: a proxy that ends TLS between is in the way, or the key file is another key's".to_owned(),
        ),
        (
            JoinRefusal::UsedUp,
            FailedPrecondition,
            format!("the join token is used up: {make}"),
        ),
        (
            JoinRefusal::Expired,
            FailedPrecondition,
            format!("the join token has expired: {make}"),
        ),
        (
            JoinRefusal::Revoked,
            FailedPrecondition,
            format!("the join token was revoked: {make}"),
        ),
        (
            JoinRefusal::OwnerNotListed,
            FailedPrecondition,
            format!("the join token has ended, since the account that made it is not on the SuperLink's list of accounts any more, or has not called since the list changed: {make}"),
        ),
        (
            JoinRefusal::Gone,
            FailedPrecondition,
            "this key joined with this token before, and is its SuperNode's no more: make another token with `flwr supernode join-token new`, and join with --rejoin".to_owned(),
        ),
        (
            JoinRefusal::TokenNotFound("00ff".to_owned()),
            FailedPrecondition,
            "this account has no join token 00ff: `flwr supernode join-token list` shows them".to_owned(),
        ),
        (
            JoinRefusal::Host {
                host: "10.0.0.7".to_owned(),
                names: "superlink.example".to_owned(),
            },
            FailedPrecondition,
            "nodes could not join at 10.0.0.7: the SuperLink's certificate does not name that host. Give --address HOST:PORT with one of: superlink.example".to_owned(),
        ),
        (
            JoinRefusal::NoAuthority,
            FailedPrecondition,
            "nodes could not join: the chain of --ssl-certfile does not lead to a certificate of --ssl-ca-certfile".to_owned(),
        ),
        (
            JoinRefusal::NeedsFlags("--join-api-address"),
            FailedPrecondition,
            "nodes cannot join where Fleet demands client certificates, unless the SuperLink is given --join-api-address".to_owned(),
        ),
        (
            JoinRefusal::ListedKey("ecdsa-sha2-nistp384 AAAA".to_owned()),
            FailedPrecondition,
            "the key of this SuperNode is on the SuperLink's list, which decides (--auth-list-public-keys): replace its line there by `ecdsa-sha2-nistp384 AAAA`".to_owned(),
        ),
        (
            JoinRefusal::CertificateNotIssued,
            FailedPrecondition,
            "the SuperLink cannot issue a client certificate: its log says why, and its operator has to act".to_owned(),
        ),
        (
            JoinRefusal::NoCertificates,
            FailedPrecondition,
            "this SuperLink issues no client certificates (--node-ca-certfile)".to_owned(),
        ),
        (
            JoinRefusal::OtherAuthority,
            FailedPrecondition,
            "the client certificate of this SuperNode is not from the SuperLink's CA for SuperNodes: renew it where it comes from".to_owned(),
        ),
    ];
    let checked = rows.iter().map(|(refusal, code, text)| {
        let refusal = Refusal::from(refusal.clone());
        let numbered = Form::of(Reader::Joiner).status(refusal.clone());
        let read = Refused::read(Class::Invalid, numbered.message());
        assert_eq!((numbered.code(), &read.text), (*code, text));
        assert_eq!(read.code, Some(refusal.code()));
        check(&[(refusal, *code, text)])
    });
    checked.collect::<Vec<_>>().concat()
}
