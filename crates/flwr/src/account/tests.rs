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

#[test]
fn tokens_are_kept_as_flower_keeps_them_but_for_the_owner_alone() {
    let app = tempfile::tempdir().unwrap();
    let file = app.path().join(".flwr/.credentials/lab.json");
    assert!(matches!(Account::of(&file), Err(Error::NotLoggedIn)));
    keep(&file, &tokens("A", "R")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let flowers = serde_json::json!({
        "auth-type": "oidc", "flwr-oidc-access-token": "A", "flwr-oidc-refresh-token": "R",
    });
    assert_eq!(json, flowers);
    assert_eq!(mode(&file), 0o600);
    let ignored = fs::read_to_string(app.path().join(".flwr/.gitignore")).unwrap();
    assert_eq!(ignored, ".credentials\n");
    assert!(forget(&file).unwrap());
    assert!(!forget(&file).unwrap());
}

#[test]
fn tokens_that_flower_wrote_serve_and_are_hidden_from_others() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lab.json");
    let text =
        r#"{"authn-type": "oidc", "flwr-oidc-access-token": "A", "flwr-oidc-refresh-token": "R"}"#;
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let account = Account::of(&file).unwrap();
    assert_eq!(mode(&file), 0o600);
    let mut headers = HeaderMap::new();
    account.prove(&mut headers).unwrap();
    assert_eq!(
        (&headers[ACCESS], &headers[REFRESH]),
        (&"A".parse().unwrap(), &"R".parse().unwrap())
    );
    assert!(headers.values().all(HeaderValue::is_sensitive));
    fs::write(&file, "{").unwrap();
    assert!(matches!(
        Account::of(&file),
        Err(Error::DamagedTokens(path)) if path == file
    ));
}

#[test]
fn new_tokens_of_an_answer_or_of_another_command_are_used_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(".credentials/lab.json");
    keep(&file, &tokens("A1", "R1")).unwrap();
    let account = Account::of(&file).unwrap();
    let mut answer = HeaderMap::new();
    answer.insert(ACCESS, "A2".parse().unwrap());
    account.read(&answer);
    assert!(!account.renew(), "one without the other is none");
    answer.insert(REFRESH, "R2".parse().unwrap());
    account.read(&answer);
    assert_eq!(read(&file).unwrap(), Some(tokens("A2", "R2")));
    keep(&file, &tokens("A3", "R3")).unwrap();
    assert!(account.renew());
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
