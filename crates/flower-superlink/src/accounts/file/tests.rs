//! What the file says, and what is said about it.

use super::*;

const GOOD: &str = "issuer = \"https://idp.example.org/realms/a\"\nclient-id = \"flower\"\n";

fn read(text: &str) -> Result<AccountsFile, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.toml");
    std::fs::write(&path, text).unwrap();
    AccountsFile::from_file(&path).map_err(|error| {
        let told = flwr_core::cause::chain(&error);
        let (file, problem) = told.split_once(": ").unwrap();
        assert!(file.ends_with("accounts.toml"), "{told}");
        assert!(!problem.contains('\n'), "{told}");
        problem.to_owned()
    })
}

#[test]
fn what_is_not_said_has_a_value_that_lets_nobody_in() {
    let file = read(&format!(
        "{GOOD}allow = [\"email:a@example.org\", \"group:g\"]"
    ))
    .unwrap();
    let Settings {
        audience, scopes, ..
    } = &file.settings;
    assert_eq!(audience, &["flower"]);
    assert_eq!(scopes.join(" "), "openid profile email offline_access");
    let listed = vec![
        Entry::Email("a@example.org".to_owned()),
        Entry::Group("g".to_owned()),
    ];
    assert_eq!(file.list.allow, Allow::Listed(listed));
    assert_eq!(file.list.admins, []);
    let file = read(&format!("{GOOD}allow = \"any\"\nadmins = [\"sub:root-1\"]")).unwrap();
    assert_eq!(file.list.allow, Allow::Any);
    assert_eq!(file.list.admins, [Entry::Sub("root-1".to_owned())]);
}

#[test]
fn the_example_in_the_documentation_is_one() {
    let page = include_str!("../../../../../docs/accounts.md");
    let mut examples = page.split("```toml\n").skip(1);
    let example = examples.next().unwrap().split("```").next().unwrap();
    let file = read(example).unwrap();
    assert_eq!(file.settings.client_id, "flower");
    for key in KEYS {
        assert!(
            page.contains(&format!("| `{key}` |")),
            "{key} is not documented"
        );
    }
}

#[test]
fn what_is_wrong_is_told_with_its_key() {
    for (text, expected) in [
        ("issuer = ", "not a TOML file: line 1"),
        ("client-id = \"a\"", "`issuer` is missing"),
        ("issuer = \"https://a\"", "`client-id` is missing"),
        (
            "isuer = \"https://a\"",
            "`isuer` is not known; did you mean `issuer`?",
        ),
        (
            "password = \"x\"",
            "`password` is not known; known are issuer,",
        ),
        (
            "issuer = \"http://a\"\nclient-id = \"a\"",
            "`issuer`: \"http://a\" is not an https:// URL",
        ),
        ("issuer = 7", "`issuer` is a text"),
    ] {
        let told = read(text).unwrap_err();
        assert!(told.starts_with(expected), "{told}");
    }
    for (more, expected) in [
        ("", "`allow` is missing: list who may come in"),
        ("allow = []", "`allow`: it names nobody"),
        ("allow = \"all\"", "`allow` is a list, or \"any\""),
        ("allow = [7]", "`allow` is a list of texts"),
        (
            "allow = [\"alice\"]",
            "`allow`: \"alice\": a line begins with",
        ),
        (
            "allow = [\"emails:a@b\"]",
            "`allow`: \"emails:a@b\": did you mean `email:`?",
        ),
        ("allow = [\"sub:\"]", "`allow`: \"sub:\" names nobody"),
        (
            "allow = \"any\"\nadmins = \"any\"",
            "`admins` is a list of texts",
        ),
        (
            "allow = \"any\"\naudience = []",
            "`audience`: nothing is in it",
        ),
        (
            "allow = \"any\"\nscopes = [1]",
            "`scopes` is a text, or a list of texts",
        ),
    ] {
        let told = read(&format!("{GOOD}{more}")).unwrap_err();
        assert!(told.starts_with(expected), "{told}");
    }
}
