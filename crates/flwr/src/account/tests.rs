use super::*;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn tokens_are_kept_as_flower_keeps_them_but_for_the_owner_alone() {
    let app = tempfile::tempdir().unwrap();
    let file = app.path().join(".flwr/.credentials/lab.json");
    assert!(matches!(Account::of(&file), Err(Error::NotLoggedIn)));
    keep(&file, &Tokens::new("A".into(), "R".into())).unwrap();
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
    let mut request = Request::new(());
    account.sign(&mut request);
    assert_eq!(request.metadata().get(ACCESS).unwrap(), "A");
    assert_eq!(request.metadata().get(REFRESH).unwrap(), "R");
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
    keep(&file, &Tokens::new("A1".into(), "R1".into())).unwrap();
    let mut account = Account::of(&file).unwrap();
    let mut answer = MetadataMap::new();
    answer.insert(ACCESS, "A2".parse().unwrap());
    account.heard(&answer);
    assert!(!account.read_again(), "one without the other is none");
    answer.insert(REFRESH, "R2".parse().unwrap());
    account.heard(&answer);
    assert!(Account::of(&file).unwrap().tokens == account.tokens);
    keep(&file, &Tokens::new("A3".into(), "R3".into())).unwrap();
    assert!(account.read_again());
    assert!(!account.read_again());
    // Where nobody logs in nothing is sent or kept.
    let mut nobody = Account::nobody();
    nobody.heard(&answer);
    let mut request = Request::new(());
    nobody.sign(&mut request);
    assert!(request.metadata().is_empty());
    assert!(!nobody.read_again());
}

#[test]
fn the_account_is_read_from_the_access_token() {
    let id = |access: &str| {
        let tokens = Some(Tokens::new(access.to_owned(), "R".into()));
        Account { file: None, tokens }.id()
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
