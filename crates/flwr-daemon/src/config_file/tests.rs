use std::fs;

use super::*;

mod variables;

#[derive(Debug, Parser, PartialEq)]
#[command(args_override_self = true, infer_long_args = true)]
struct Args {
    #[arg(long)]
    config: Option<PathBuf>,
    #[arg(long)]
    insecure: bool,
    #[arg(long)]
    client_key: Option<PathBuf>,
    #[arg(long)]
    client_certificate: Option<PathBuf>,
    #[arg(long)]
    root_certificates: Option<PathBuf>,
    #[arg(long)]
    server_name: Option<String>,
    #[arg(long)]
    localhost_too: Option<String>,
    #[arg(long, requires = "root_certificates")]
    ssl_allow_legacy_certificates: bool,
    #[arg(long, default_value = "127.0.0.1:9092")]
    superlink: String,
    #[arg(long)]
    max_retries: Option<u64>,
    #[arg(long, num_args = 2)]
    pair: Vec<String>,
    #[arg(long, value_delimiter = ',', num_args = 1.., action = ArgAction::Set)]
    list: Vec<u16>,
    #[arg(long, conflicts_with = "superlink")]
    server: Option<String>,
    #[arg(long, alias = "old-switch")]
    switch: bool,
    #[arg(long)]
    port: Option<u16>,
}

impl Configurable for Args {
    const SIDE: Side = Side {
        private_key: ("client-key", "data/certificates/client.key"),
        certificate: ("client-certificate", "data/certificates/client.crt"),
        root: (&["root-certificates"], "data/certificates/rootCA.pem"),
        server_name: Some("server-name"),
        localhost_too: Some("localhost-too"),
    };
    const VARIABLES: &'static str = "PROGRAM_";
}

fn with(name: &str, content: &str, typed: &[&str]) -> Result<Args, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, content).unwrap();
    let config = format!("--config={}", path.display());
    let words = ["program", &config]
        .into_iter()
        .chain(typed.iter().copied());
    let words: Vec<_> = words.map(OsString::from).collect();
    parse_from(&words, |_| None)
        .map(|args: Args| Args {
            config: None,
            ..args
        })
        .map_err(|error| {
            let text = flwr_core::cause::chain(&error);
            text.replace(&format!("{}/", dir.path().display()), "")
        })
}

fn plain() -> Args {
    Args::parse_from(["program"])
}

#[test]
fn flags_stand_in_json_and_toml_and_what_is_typed_wins() {
    let wanted = Args {
        superlink: "b:2".to_owned(),
        max_retries: Some(3),
        pair: vec!["x".to_owned(), "y".to_owned()],
        insecure: true,
        ..plain()
    };
    let json = r#"{"superlink": "a:1", "max_retries": 3, "insecure": true, "pair": ["x", "y"]}"#;
    let toml = "superlink = 'a:1'\nmax-retries = 3\ninsecure = true\npair = ['x', 'y']\n";
    for (name, content) in [
        ("c.json", json),
        ("c.toml", toml),
        ("c", json),
        ("c.conf", toml),
    ] {
        let read = with(name, content, &["--superlink", "b:2"]).unwrap();
        assert_eq!(read, wanted, "{name}");
    }
}

#[test]
fn a_secure_connection_has_its_three_files() {
    let read = with("c.json", r#"{"use_secure_connection": true}"#, &[]).unwrap();
    let wanted = Args {
        client_key: Some("data/certificates/client.key".into()),
        client_certificate: Some("data/certificates/client.crt".into()),
        root_certificates: Some("data/certificates/rootCA.pem".into()),
        localhost_too: Some("loopback".to_owned()),
        ssl_allow_legacy_certificates: true,
        ..plain()
    };
    assert_eq!(read, wanted);
    let content = r#"{"use_secure_connection": true, "ssl_private_key": "k", "ssl_cert": "c",
        "ssl_root_cert": "r", "options": [["grpc.ssl_target_name_override", "localhost"]]}"#;
    let read = with("c.json", content, &["--client-key", "typed"]).unwrap();
    let wanted = Args {
        client_key: Some("typed".into()),
        client_certificate: Some("c".into()),
        root_certificates: Some("r".into()),
        server_name: Some("localhost".to_owned()),
        ssl_allow_legacy_certificates: true,
        ..plain()
    };
    assert_eq!(read, wanted);
}

#[test]
fn an_insecure_connection_is_said_not_guessed() {
    let insecure = Args {
        insecure: true,
        ..plain()
    };
    let off = r#"{"use_secure_connection": false, "ssl_cert": "c"}"#;
    assert_eq!(with("c.json", off, &[]).unwrap(), insecure);
    assert_eq!(with("c.json", "{}", &[]).unwrap(), plain());
    let on = r#"{"use_secure_connection": true}"#;
    assert_eq!(with("c.json", on, &["--insecure"]).unwrap(), insecure);
    let error = with("c.json", r#"{"ssl_cert": "c"}"#, &[]).unwrap_err();
    assert!(error.contains("`ssl_cert` is of use with"), "{error}");
}

/// The two blocks of a guide for mutual TLS, as they stand there.
#[test]
fn the_blocks_of_the_guide_are_read_as_they_are() {
    let short = r#"{
    "use_secure_connection": True,
    "ssl_private_key": "data/certificates/client.key",
    "ssl_cert": "data/certificates/client.crt",
    "ssl_root_cert": "data/certificates/rootCA.pem"
}"#;
    let long = r#"{
    "use_secure_connection": True,
    "ssl_private_key": "data/certificates/client.key",
    "ssl_cert": "data/certificates/client.crt",
    "ssl_root_cert": "data/certificates/rootCA.pem",
    # the name that the server's certificate has
    "options": [["grpc.ssl_target_name_override", "localhost"]]
}"#;
    let wanted = Args {
        client_key: Some("data/certificates/client.key".into()),
        client_certificate: Some("data/certificates/client.crt".into()),
        root_certificates: Some("data/certificates/rootCA.pem".into()),
        localhost_too: Some("anywhere".to_owned()),
        ssl_allow_legacy_certificates: true,
        ..plain()
    };
    assert_eq!(with("c.json", short, &[]).unwrap(), wanted);
    let wanted = Args {
        localhost_too: None,
        server_name: Some("localhost".to_owned()),
        ..wanted
    };
    assert_eq!(with("c.json", long, &[]).unwrap(), wanted);
    let off = short.replace("True", "False");
    assert!(with("c.json", &off, &[]).unwrap().insecure);
}

#[test]
fn null_stands_for_a_flag_that_is_not_given() {
    let content = r#"{"superlink": None, "insecure": null, "max_retries": 3}"#;
    let wanted = Args {
        max_retries: Some(3),
        ..plain()
    };
    assert_eq!(with("c.json", content, &[]).unwrap(), wanted);
}

#[test]
fn a_flag_may_need_another_that_is_in_the_file() {
    let file = r#"{"root_certificates": "r"}"#;
    let read = with("c.json", file, &["--ssl-allow-legacy-certificates"]).unwrap();
    assert!(read.ssl_allow_legacy_certificates && read.root_certificates.is_some());
    let secure = r#"{"use_secure_connection": true}"#;
    let read = with("c.json", secure, &["--ssl-allow-legacy-certificates"]).unwrap();
    assert!(read.ssl_allow_legacy_certificates);
    // The other way round: the file has the flag, and what the flag needs is typed.
    let file = r#"{"ssl_allow_legacy_certificates": true}"#;
    let read = with("c.json", file, &["--root-certificates", "r"]).unwrap();
    assert!(read.ssl_allow_legacy_certificates);
    let error = with("c.json", file, &[]).unwrap_err();
    assert!(
        error.contains("--config c.json, together with the flags and variables beside it: the following required arguments were not provided: --root-certificates"),
        "{error}"
    );
    let error = with("c.json", "{}", &["--ssl-allow-legacy-certificates"]).unwrap_err();
    assert!(
        error.starts_with("error: the following required"),
        "{error}"
    );
}

#[test]
fn flags_that_exclude_each_other_are_told_with_the_file() {
    let file = r#"{"superlink": "a:1"}"#;
    let error = with("c.json", file, &["--server", "b:2"]).unwrap_err();
    assert!(
        error.starts_with("--config c.json, together with the flags and variables beside it: the argument '--superlink <SUPERLINK>' cannot be used with '--server <SERVER>'"),
        "{error}"
    );
    let error = with("c.json", "{}", &["--superlink=a:1", "--server=b:2"]).unwrap_err();
    assert!(error.starts_with("error: the argument"), "{error}");
}

#[test]
fn what_is_wrong_is_told_with_the_file() {
    for (name, content, expected) in [
        ("c.json", "{", "--config c.json: not a JSON file: EOF"),
        (
            "c.json",
            "{\n \"insecure\": yes}",
            "--config c.json: not a JSON file: `yes` is unknown: write true or false, or put a key or a text in quotes at line 2 column 14",
        ),
        ("c.toml", "a = ", "--config c.toml: not a TOML file: line 1"),
        ("c.json", "[]", "--config c.json: not a JSON file"),
        (
            "c.json",
            r#"{"super_link": "a"}"#,
            "--config c.json: `super_link` is not known; did you mean `superlink`?",
        ),
        (
            "c.json",
            r#"{"config": "a"}"#,
            "--config c.json: `config` is neither",
        ),
        (
            "c.json",
            r#"{"insecure": "yes"}"#,
            "--config c.json: `insecure` is true or false",
        ),
        (
            "c.json",
            r#"{"superlink": {}}"#,
            "--config c.json: `superlink` is a text or a number",
        ),
        (
            "c.json",
            r#"{"max_retries": "many"}"#,
            "--config c.json: invalid value 'many' for '--max-retries",
        ),
        (
            "c.json",
            r#"{"use_secure_connection": 1}"#,
            "--config c.json: `use_secure_connection` is true or false",
        ),
        (
            "c.json",
            r#"{"use_secure_connection": true, "options": [["grpc.x", 1]]}"#,
            "--config c.json: `options`: `grpc.x` is not known",
        ),
        (
            "c.json",
            r#"{"use_secure_connection": true, "options": {"a": 1}}"#,
            "--config c.json: `options` is a list of pairs",
        ),
    ] {
        let error = with(name, content, &[]).unwrap_err();
        assert!(error.starts_with(expected), "{content}: {error}");
    }
    let words = ["program", "--config", "/nonexistent"].map(OsString::from);
    let error = parse_from::<Args>(&words, |_| None).unwrap_err();
    assert!(
        matches!(
            error,
            Error::File {
                source: TableError::Read(_),
                ..
            }
        ),
        "{error}"
    );
}

/// The arguments of a command line beside these variables.
fn beside(variables: &[(&str, &str)], typed: &[&str]) -> Result<Args, String> {
    let words = ["program"].into_iter().chain(typed.iter().copied());
    let words: Vec<_> = words.map(OsString::from).collect();
    let environment = |name: &str| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| OsString::from(value))
    };
    parse_from(&words, environment).map_err(|error| error.to_string())
}

#[test]
fn a_variable_stands_for_its_flag_and_what_is_typed_wins() {
    let variables = [
        ("PROGRAM_SUPERLINK", "a:1"),
        ("PROGRAM_INSECURE", "yes"),
        ("PROGRAM_MAX_RETRIES", "3"),
        ("PROGRAM_CLIENT_KEY", ""),
        // As Kubernetes makes them.
        ("PROGRAM_SERVICE_HOST", "10.0.0.1"),
        ("PROGRAM_PORT", "tcp://10.0.0.1:9092"),
        ("PROGRAM_HELP", "1"),
    ];
    let args = beside(&variables, &[]).unwrap();
    assert_eq!(args.superlink, "a:1");
    assert!(args.insecure);
    assert_eq!((args.max_retries, args.client_key), (Some(3), None));
    assert_eq!(args.port, None);
    let given = beside(&[("PROGRAM_PORT", "9094")], &[]).unwrap();
    assert_eq!(given.port, Some(9094));
    let args = beside(&variables, &["--superlink=b:2"]).unwrap();
    assert_eq!(args.superlink, "b:2");
    assert!(
        !beside(&[("PROGRAM_INSECURE", "off")], &[])
            .unwrap()
            .insecure
    );
}

#[test]
fn a_variable_wins_over_the_file_that_another_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    fs::write(&path, "superlink = \"file:1\"\nmax-retries = 7\n").unwrap();
    let variables = [
        ("PROGRAM_CONFIG", path.to_str().unwrap()),
        ("PROGRAM_SUPERLINK", "variable:1"),
    ];
    let args = beside(&variables, &[]).unwrap();
    assert_eq!(
        (args.superlink.as_str(), args.max_retries),
        ("variable:1", Some(7))
    );
}

#[test]
fn a_wrong_value_is_told_of_the_variable() {
    let error = beside(&[("PROGRAM_MAX_RETRIES", "many")], &[]).unwrap_err();
    assert!(
        error.starts_with("PROGRAM_MAX_RETRIES: invalid value 'many'"),
        "{error}"
    );
    let error = beside(&[("PROGRAM_INSECURE", "maybe")], &[]).unwrap_err();
    assert_eq!(
        error,
        "PROGRAM_INSECURE: \"maybe\" is neither true nor false"
    );
}
