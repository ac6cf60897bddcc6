use std::path::Path;

use clap::Parser;
use flwr_client::channel::Trust;
use flwr_client::joined::{Begun, Enrolled};
use flwr_core::cause::chain;
use flwr_core::id::NodeId;
use flwr_security::joining::Pin;
use flwr_security::key::PrivateKey;
use flwr_security::pki::{Authority, NodeAuthority, node_request};
use flwr_security::testing::Files;
use flwr_security::tls::{Certificate, certificates_of};
use time::{Duration, OffsetDateTime};

use super::*;
use crate::config::Config;

struct Home {
    dir: tempfile::TempDir,
    files: Files,
}

impl Home {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            files: Files::new(),
        }
    }

    fn args(&self, flags: &[&str]) -> Args {
        let dir = self.dir.path().to_str().unwrap();
        let all = [
            "flower-supernode",
            "--isolation",
            "process",
            "--flwr-dir",
            dir,
        ];
        Args::parse_from(all.iter().chain(flags))
    }

    fn enrolment(&self, flags: &[&str]) -> Result<Enrolment, Error> {
        Enrolment::of(&self.args(flags))
    }

    fn config(&self, flags: &[&str]) -> Config {
        let args = self.args(flags);
        let enrolment = Enrolment::of(&args).unwrap();
        Config::new(args, &enrolment).unwrap()
    }

    /// Has the node joined with this token.
    fn joined(&self, token: &JoinToken) -> Joined {
        let begun = Enrolments::below(self.dir.path()).begin(token.id);
        let Begun::Pending(pending) = begun.unwrap() else {
            panic!("it has joined");
        };
        let enrolled = Enrolled {
            superlink: &token.address,
            node: NodeId(7),
            name: "",
            authorities: &certificates_of(&self.files.path("ca.crt")).unwrap(),
            certificate: b"",
        };
        pending.finish(&enrolled).unwrap()
    }
}

fn token() -> JoinToken {
    let address = "superlink.example:9092".parse().unwrap();
    JoinToken::issue(Pin([7; 32]), address).unwrap()
}

fn refused(enrolment: Result<Enrolment, Error>) -> String {
    chain(&enrolment.unwrap_err())
}

#[test]
fn a_node_that_has_joined_needs_no_flags_and_flags_win_one_by_one() {
    let home = Home::new();
    let joined = home.joined(&token());
    let config = home.config(&[]);
    assert_eq!(config.superlink.to_string(), "superlink.example:9092");
    assert_eq!(config.key.path, Some(joined.key_file()));
    assert_eq!(
        config.trust_origin,
        joined.authorities_file().display().to_string()
    );
    let told = config.remembered.unwrap().to_string();
    assert!(told.contains("address, trust, key from"), "{told}");
    assert!(config.store.is_some());

    let config = home.config(&["--superlink", "other.example:9092"]);
    assert_eq!(config.superlink.to_string(), "other.example:9092");
    assert_eq!(config.key.path, Some(joined.key_file()));
    let told = config.remembered.unwrap().to_string();
    assert!(told.contains("trust, key from"), "{told}");
    assert!(told.ends_with("address by flags"), "{told}");

    let ca = home.files.path("ca.crt").display().to_string();
    let config = home.config(&["--root-certificates", &ca]);
    assert_eq!(config.trust_origin, ca);
    assert!(!config.remembered.unwrap().trust);
}

/// A certificate that the SuperLink issued to the node at this time.
fn certify(home: &Home, joined: &Joined, at: OffsetDateTime) {
    let ca = Authority::make("Nodes", 365, None).unwrap();
    let ca = NodeAuthority::load(
        &home.files.write("nodes.crt", &ca.certificate),
        &home.files.write("nodes.key", &ca.key),
    );
    let key = PrivateKey::from_file(&joined.key_file()).unwrap();
    let request = node_request(&key).unwrap();
    let issued = ca
        .unwrap()
        .issue(&request, key.public_key(), joined.node, at);
    joined.certify(issued.unwrap().as_bytes()).unwrap();
}

fn shown(config: &Config) -> Option<Certificate> {
    let Trust::Tls(tls) = &config.trust else {
        panic!("{:?}", config.trust);
    };
    tls.certificate()
}

#[test]
fn the_client_certificate_goes_with_the_key_that_it_is_for() {
    let home = Home::new();
    let joined = home.joined(&token());
    assert_eq!(shown(&home.config(&[])), None);
    certify(&home, &joined, OffsetDateTime::now_utc());
    let config = home.config(&[]);
    assert_eq!(shown(&config).unwrap().subject, "CN=7");
    assert_eq!(config.warnings, [] as [String; 0]);
    let told = config.remembered.unwrap().to_string();
    assert!(told.contains("key, client certificate from"), "{told}");
    // Another key has another certificate, or none.
    let other = home.files.path("other");
    let key = PrivateKey::generate().unwrap();
    let public = key.write_openssh_pair(&other, false).unwrap();
    let [other, public] = [other, public].map(|path| path.display().to_string());
    let config = home.config(&[
        "--auth-supernode-private-key",
        &other,
        "--auth-supernode-public-key",
        &public,
    ]);
    assert_eq!(shown(&config), None);
    let told = config.remembered.unwrap().to_string();
    assert!(told.ends_with("key by flags"), "{told}");
}

#[test]
fn a_node_that_was_away_for_too_long_is_told_to_join_again() {
    let home = Home::new();
    let joined = home.joined(&token());
    let long_ago = OffsetDateTime::now_utc() - Duration::days(31);
    certify(&home, &joined, long_ago);
    let warnings = home.config(&[]).warnings;
    assert!(
        warnings[0].contains("--join TOKEN --rejoin"),
        "{warnings:?}"
    );
}

#[test]
fn insecure_turns_off_all_that_is_remembered() {
    let home = Home::new();
    home.joined(&token());
    let config = home.config(&["--insecure"]);
    assert_eq!(config.superlink.to_string(), "127.0.0.1:9092");
    assert!(config.remembered.is_none() && config.key.path.is_none());
    assert!(matches!(config.trust, Trust::Plaintext));
}

#[test]
fn the_same_token_is_harmless_and_another_is_refused_unless_it_replaces() {
    let home = Home::new();
    let (first, second) = (token(), token());
    let (one, two) = (first.reveal(), second.reveal());
    assert!(matches!(
        home.enrolment(&["--join", &one]),
        Ok(Enrolment::Joining(_))
    ));
    let joined = home.joined(&first);
    let again = home.enrolment(&["--join", &one]).unwrap();
    assert_eq!(again.joined(), Some(&joined));
    let told = refused(home.enrolment(&["--join", &two]));
    for part in [
        &first.id.to_string(),
        &second.id.to_string(),
        "--rejoin",
        "--flwr-dir",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("fjt1_"), "{told}");
    let rejoining = home.enrolment(&["--join", &two, "--rejoin"]).unwrap();
    assert_eq!(rejoining.token(), Some(&second));
    // The first stays until the second has joined.
    assert_eq!(home.enrolment(&[]).unwrap().joined(), Some(&joined));
}

#[test]
fn what_another_start_has_joined_meanwhile_is_not_replaced() {
    let home = Home::new();
    let (first, second) = (token(), token());
    let two = second.reveal();
    let joining = |flags: &[&str]| match home.enrolment(flags).unwrap() {
        Enrolment::Joining(join) => join,
        other => panic!("{other:?}"),
    };
    let late = joining(&["--join", &two]);
    let replacing = joining(&["--join", &two, "--rejoin"]);
    late.require_place().unwrap();
    home.joined(&first);
    let error = late.require_place().unwrap_err();
    assert!(matches!(error, Error::Joined { .. }), "{error}");
    replacing.require_place().unwrap();
}

#[test]
fn a_damaged_memory_is_told_and_can_be_replaced() {
    let home = Home::new();
    let joined = home.joined(&token());
    std::fs::write(joined.dir().join("joined.json"), "{").unwrap();
    assert!(refused(home.enrolment(&[])).contains("--rejoin"));
    let token = token().reveal();
    assert!(refused(home.enrolment(&["--join", &token])).contains("--rejoin"));
    home.enrolment(&["--join", &token, "--rejoin"]).unwrap();
}

#[test]
fn flags_that_exclude_joining_are_named() {
    let home = Home::new();
    let token = token().reveal();
    for (flags, part) in [
        (&["--join", &*token, "--insecure"][..], "--insecure"),
        (
            &["--join", &token, "--auth-supernode-private-key", "key"],
            "leave out --auth-supernode-private-key",
        ),
        (&["--join", &token, "--until-stdin-closes"], "--join FILE"),
        (&["--join", "-", "--until-stdin-closes"], "--join FILE"),
    ] {
        let told = refused(home.enrolment(flags));
        assert!(told.contains(part), "{told}");
    }
    let file = home.dir.path().join("token");
    std::fs::write(&file, &*token).unwrap();
    let file = file.to_str().unwrap();
    home.enrolment(&["--join", file, "--until-stdin-closes"])
        .unwrap();
    let error = Args::try_parse_from(["flower-supernode", "--rejoin"]).unwrap_err();
    assert!(error.to_string().contains("--join"), "{error}");
}

#[test]
fn a_check_of_a_joining_node_trusts_the_pin_and_makes_no_directory() {
    let home = Home::new();
    let token = token();
    let config = home.config(&["--join", &token.reveal(), "--check-config"]);
    assert_eq!(config.joins_with, Some(token.id));
    assert_eq!(config.superlink, token.address);
    assert!(config.trust_origin.contains("join token"));
    assert!(!Path::new(home.dir.path()).join("supernode").exists());
}
