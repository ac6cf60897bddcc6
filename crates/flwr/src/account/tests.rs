use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::audience::tests::audience;
use super::*;

fn tokens(access: &str, refresh: &str) -> Tokens {
    Tokens {
        access: access.to_owned(),
        refresh: refresh.to_owned(),
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// The tokens' place in an app's directory, for a SuperLink at this address.
fn at(app: &Path, address: &str) -> (TokenFile, Audience) {
    (
        TokenFile::in_app(app, "lab"),
        audience(address, Some(&["a"])),
    )
}

/// Logs in at `lab:9093`.
fn login(app: &Path, access: &str, refresh: &str) {
    let account = Account::to_come(at(app, "lab:9093"));
    account.keep(&tokens(access, refresh)).unwrap();
}

#[test]
fn tokens_are_kept_as_flower_keeps_them_with_their_superlink_and_for_the_owner_alone() {
    let app = tempfile::tempdir().unwrap();
    let (file, superlink) = at(app.path(), "lab:9093");
    let nobody = Account::of((file.clone(), superlink));
    assert!(matches!(nobody, Err(Error::NotLoggedIn)));
    login(app.path(), "A", "R");
    let json: serde_json::Value = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
    let expected = serde_json::json!({
        "auth-type": "oidc", "flwr-oidc-access-token": "A", "flwr-oidc-refresh-token": "R",
        "superlink": {"address": "lab:9093", "root-keys": ["a"]},
    });
    assert_eq!(json, expected);
    assert_eq!(mode(&file.path()), 0o600);
    assert_eq!(file.path(), app.path().join(".flwr/.credentials/lab.json"));
    let ignored = fs::read_to_string(app.path().join(".flwr/.gitignore")).unwrap();
    assert_eq!(ignored, ".credentials\n");
    assert!(forget(&file).unwrap());
    assert!(!forget(&file).unwrap());
    let home = TokenFile::in_home(app.path(), "a/../b");
    assert_eq!(home.path(), app.path().join(".credentials/a_.._b.json"));
}

#[test]
fn the_tokens_of_a_login_are_sent_to_its_superlink() {
    let app = tempfile::tempdir().unwrap();
    login(app.path(), "A", "R");
    let place = at(app.path(), "lab:9093");
    let path = place.0.path();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let account = Account::of(place.clone()).unwrap();
    assert_eq!(mode(&path), 0o600);
    let mut headers = HeaderMap::new();
    account.prove(&mut headers).unwrap();
    assert_eq!(
        (&headers[ACCESS], &headers[REFRESH]),
        (&"A".parse().unwrap(), &"R".parse().unwrap())
    );
    assert!(headers.values().all(HeaderValue::is_sensitive));
    fs::write(&path, "{").unwrap();
    assert!(matches!(
        Account::of(place),
        Err(Error::DamagedTokens(damaged)) if damaged == path
    ));
}

#[test]
fn the_tokens_of_a_login_are_sent_to_no_other_superlink() {
    let app = tempfile::tempdir().unwrap();
    login(app.path(), "A", "R");
    let refused = |superlink: Audience| {
        let (file, _) = at(app.path(), "");
        Account::of((file, superlink)).err().unwrap()
    };
    let other_address = refused(audience("evil:9093", Some(&["a"])));
    let text = other_address.to_string();
    assert!(
        text.ends_with("they are for lab:9093, and the federation's address is evil:9093"),
        "{text}"
    );
    assert_eq!(other_address.exit_code(), 2);
    let other_roots = refused(audience("lab:9093", Some(&["b"]))).to_string();
    assert!(
        other_roots.contains("lab:9093 with other root certificates"),
        "{other_roots}"
    );
    let hint = other_address.hint().unwrap();
    assert!(hint.contains("log in again with `flwr login`"), "{hint}");
}

#[test]
fn tokens_without_their_superlink_are_not_sent() {
    let app = tempfile::tempdir().unwrap();
    login(app.path(), "A", "R");
    let place = at(app.path(), "lab:9093");
    // As pip's flwr 1.22 writes the file.
    let text =
        r#"{"authn-type": "oidc", "flwr-oidc-access-token": "A", "flwr-oidc-refresh-token": "R"}"#;
    fs::write(place.0.path(), text).unwrap();
    let refused = Account::of(place).err().unwrap();
    assert!(matches!(refused, Error::UnboundTokens(_)), "{refused}");
}

#[test]
fn linked_tokens_of_a_cloned_app_are_not_sent() {
    let home = tempfile::tempdir().unwrap();
    login(home.path(), "A", "R");
    let (theirs, superlink) = at(home.path(), "lab:9093");
    let app = tempfile::tempdir().unwrap();
    let (file, _) = at(app.path(), "");

    symlink(home.path().join(".flwr"), app.path().join(".flwr")).unwrap();
    let refused = Account::of((file.clone(), superlink.clone()))
        .err()
        .unwrap();
    assert!(matches!(&refused, Error::TokenFile { .. }), "{refused}");
    let written = Account::to_come((file.clone(), superlink.clone())).keep(&tokens("X", "Y"));
    assert!(matches!(written, Err(Error::Write { .. })));

    fs::remove_file(app.path().join(".flwr")).unwrap();
    fs::create_dir_all(app.path().join(".flwr/.credentials")).unwrap();
    symlink(theirs.path(), file.path()).unwrap();
    let refused = Account::of((file.clone(), superlink.clone()))
        .err()
        .unwrap();
    assert!(
        refused.chain().contains("is a symbolic link"),
        "{}",
        refused.chain()
    );
    assert!(forget(&file).unwrap(), "the link goes, not the file");
    assert_eq!(theirs.read(&superlink).unwrap(), Some(tokens("A", "R")));
}

#[test]
fn new_tokens_of_an_answer_or_of_another_command_are_used_from_then_on() {
    let app = tempfile::tempdir().unwrap();
    login(app.path(), "A1", "R1");
    let (file, superlink) = at(app.path(), "lab:9093");
    let account = Account::of((file.clone(), superlink.clone())).unwrap();
    let mut answer = HeaderMap::new();
    answer.insert(ACCESS, "A2".parse().unwrap());
    account.read(&answer);
    assert!(!account.renew(), "one without the other is none");
    answer.insert(REFRESH, "R2".parse().unwrap());
    account.read(&answer);
    assert_eq!(file.read(&superlink).unwrap(), Some(tokens("A2", "R2")));
    login(app.path(), "A3", "R3");
    assert!(account.renew());
    assert!(!account.renew());
    // Tokens that another command got from another SuperLink are not this SuperLink's.
    let elsewhere = Account::to_come(at(app.path(), "evil:9093"));
    elsewhere.keep(&tokens("A4", "R4")).unwrap();
    assert!(!account.renew());
    // Where nobody logs in nothing is sent or kept.
    let nobody = Account::nobody();
    nobody.read(&answer);
    let mut headers = HeaderMap::new();
    nobody.prove(&mut headers).unwrap();
    assert!(headers.is_empty());
    assert!(!nobody.renew());
}

#[test]
fn the_account_is_read_from_the_access_token() {
    let id = |access: &str| {
        let account = Account::nobody();
        *account.tokens.lock() = Some(tokens(access, "R"));
        account.id()
    };
    let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    assert_eq!(
        id(&token(r#"{"sub": "alice-1"}"#)).as_deref(),
        Some("alice-1")
    );
    for access in ["", "opaque", "a.b.c", &token("{}"), &token(r#"{"sub": 1}"#)] {
        assert_eq!(id(access), None, "{access}");
    }
    assert_eq!(Account::nobody().id(), None);
}

#[test]
fn over_http_the_access_token_is_a_bearer_and_the_refresh_token_stays_here() {
    let app = tempfile::tempdir().unwrap();
    login(app.path(), "A1", "R1");
    let (file, superlink) = at(app.path(), "lab:9093");
    let account = Account::if_logged_in((file.clone(), superlink.clone())).unwrap();
    let mut headers = HeaderMap::new();
    account.prove_over_http(&mut headers).unwrap();
    assert_eq!(headers["authorization"], "Bearer A1");
    assert!(headers["authorization"].is_sensitive());
    assert_eq!(headers["x-flwr-client"], "cli");
    assert_eq!(headers.len(), 2, "{headers:?}");
    assert_eq!(account.refresh_token().as_deref(), Some("R1"));
    account.refreshed(tokens("A2", "R2"));
    assert_eq!(file.read(&superlink).unwrap(), Some(tokens("A2", "R2")));
}

#[test]
fn who_need_not_log_in_has_no_tokens_of_another_superlink() {
    let app = tempfile::tempdir().unwrap();
    assert!(Account::if_logged_in(at(app.path(), "lab:9093")).is_ok());
    login(app.path(), "A", "R");
    let account = Account::if_logged_in(at(app.path(), "evil:9093")).unwrap();
    let mut headers = HeaderMap::new();
    account.prove_over_http(&mut headers).unwrap();
    assert!(!headers.contains_key("authorization"), "{headers:?}");
    assert_eq!(account.refresh_token(), None);
}
