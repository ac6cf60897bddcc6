//! The chapters about SuperNodes that join.

use std::fmt::Write as _;

use e2e::{App, Federation, Maker, Security};
use flwr_core::refusal::{Code, JoinRefusal, Refusal};
use flwr_security::joining::{JoinToken, Pin};
use flwr_security::tls::{certificates_of, pin_of};
use serde_json::Value;

use super::Page;

/// What a token's SuperLink is asked for by people, in the words of a federation of the tests.
#[track_caller]
fn asked(federation: &Federation, app: &App, words: &[&str]) -> Value {
    let words = [
        &["supernode", "join-token"],
        words,
        &["e2e", "--format", "json"],
    ]
    .concat();
    let outcome = federation
        .flwr(Maker::Ours)
        .call(&app.path, &words)
        .success();
    let (from, to) = (
        outcome.text.find('{').unwrap(),
        outcome.text.rfind('}').unwrap(),
    );
    serde_json::from_str(&outcome.text[from..=to]).unwrap()
}

pub(super) fn tokens(page: &mut Page<'_>) {
    page.chapter("SuperNodes that join");
    page.error(
        "The file with the token is not there.",
        "flower-supernode --join token",
        2,
    );
    page.user.scratch.file("token", "fjt1_AbC");
    page.error(
        "The token is not whole.",
        "flower-supernode --join token",
        2,
    );
    page.error(
        "Tokens go over TLS only.",
        "flower-supernode --insecure --join token",
        2,
    );
    page.error(
        "The token stands where no token is expected.",
        "flower-supernode fjt1_AbC",
        2,
    );
    page.error(
        "The node has no key that lasts.",
        "flower-supernode key renew",
        2,
    );

    let plan = Federation::plan(Security::Tls).nodes(0);
    let federation = plan.superlink_flags(&["--enable-supernode-auth"]).start();
    let app = federation.app("mean");
    let fleet = federation.fleet();
    page.places
        .push((fleet.to_string(), "superlink.example:9092"));
    let ours = certificates_of(federation.ca().unwrap()).unwrap();
    let pin = pin_of(&ours[0]).unwrap();
    let join = "flower-supernode --clientappio-api-address 127.0.0.1:0 --join token";
    for (when, pin) in [
        (
            "The server at the address is not the SuperLink that made the token.",
            Pin([7; 32]),
        ),
        ("The SuperLink does not know the token.", pin),
    ] {
        let token = JoinToken::issue(pin, fleet.to_string().parse().unwrap()).unwrap();
        page.user.scratch.file("token", token.reveal().as_bytes());
        page.error(when, join, 1);
    }
    let made = asked(&federation, &app, &["new"]);
    page.user
        .scratch
        .file("token", made["token"].as_str().unwrap());
    asked(
        &federation,
        &app,
        &["revoke", made["token-id"].as_str().unwrap()],
    );
    page.error("The token was revoked.", join, 1);
    federation.stop();
}

/// The numbers of refusals that operators of SuperNodes meet, with the way out.
pub(super) fn numbers(page: &mut Page<'_>) {
    page.chapter("Numbers of refusals of SuperNodes");
    page.text.push_str(
        "\nA refusal has a number. `flwr` of flwr 1.40 and later shows the number, as `[code: 2004]`. Numbers \
         from 50000 on are of this SuperLink alone.\n\n| number | what was refused, and the way out |\n| --- | --- |\n",
    );
    let registration = [
        (
            Code::FleetSupernodeRegistrationDisabled,
            "A SuperNode without a key file cannot register itself, since the SuperLink has `--enable-supernode-auth`. Register a key with `flwr supernode register KEY.pub`, and start the SuperNode with `--auth-supernode-private-key KEY`; or let it join with `--join`",
        ),
        (
            Code::FleetNodeActivationFailed,
            "The SuperNode's key is of no registered SuperNode: nobody has registered it, or it was unregistered. Register it with `flwr supernode register KEY.pub`; a node that joined joins anew, with another token and `--join TOKEN --rejoin`",
        ),
    ];
    let registration = registration.map(|(code, text)| (code, text.to_owned()));
    let joining = [
        JoinRefusal::UnknownToken,
        JoinRefusal::Proof,
        JoinRefusal::NotOffered,
        JoinRefusal::NeedsTls13,
        JoinRefusal::UsedUp,
        JoinRefusal::Expired,
        JoinRefusal::Revoked,
        JoinRefusal::Gone,
        JoinRefusal::ListedKey("…".to_owned()),
        JoinRefusal::NoCertificates,
        JoinRefusal::OwnerNotListed,
    ];
    let joining = joining.map(|why| (Refusal::from(why.clone()).code(), why.to_string()));
    for (code, text) in registration.into_iter().chain(joining) {
        writeln!(page.text, "| {} | {text} |", code.number()).unwrap();
    }
}
