use std::error::Error as _;
use std::path::Path;
use std::process::Command;

use clap::Parser;
use flwr_core::config::Scalar;

use super::*;

/// Process isolation: no program needs to be on PATH.
fn config(flags: &[&str]) -> Result<Config, Error> {
    let all = ["flower-supernode", "--isolation", "process"]
        .iter()
        .chain(flags);
    Config::try_from(Args::parse_from(all))
}

fn refused(flags: &[&str]) -> String {
    let error = config(flags).unwrap_err();
    let source = error
        .source()
        .map(|source| format!(": {source}"))
        .unwrap_or_default();
    format!("{error}{source}")
}

fn keygen(dir: &Path, name: &str) -> String {
    let path = dir.join(name).display().to_string();
    let made = Command::new("ssh-keygen")
        .args([
            "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-C", "", "-f", &path,
        ])
        .status();
    assert!(made.unwrap().success());
    path
}

#[test]
fn without_flags_the_node_speaks_tls_and_makes_a_key() {
    let config = config(&["--insecure"]).unwrap();
    assert_eq!(config.superlink.to_string(), "127.0.0.1:9092");
    assert_eq!(config.other_port, Some(8000));
    assert_eq!(config.clientappio.address.to_string(), "127.0.0.1:9094");
    assert!(config.key.path.is_none() && config.node_config.is_empty());
    assert!(config.persistence.max_retries.is_none() && config.persistence.max_wait.is_none());
}

#[test]
fn other_machines_reach_clientappio_only_with_leave() {
    let typed = ["--insecure", "--clientappio-api-address", "0.0.0.0:9095"];
    let text = refused(&typed);
    assert!(text.contains("--allow-plaintext-appio"), "{text}");
    let open = config(&[&typed[..], &["--allow-plaintext-appio"]].concat()).unwrap();
    assert_eq!(open.clientappio.address.to_string(), "0.0.0.0:9095");
    assert_eq!(open.warnings.len(), 2, "{:?}", open.warnings);
    let args = Args::parse_from(["flower-supernode"].iter().chain(&typed));
    let (clientappio, warnings) = appio(&args, &Enrolment::None).unwrap();
    assert_eq!(clientappio.address.to_string(), "127.0.0.1:9095");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn a_node_with_a_key_says_who_starts_its_clientapps() {
    let dir = tempfile::tempdir().unwrap();
    let key = keygen(dir.path(), "node");
    let public = format!("{key}.pub");
    let line = [
        "--auth-supernode-private-key",
        &key,
        "--auth-supernode-public-key",
        &public,
        "--allow-plaintext-appio",
    ];
    let text = refused(&line);
    assert!(text.contains("--appio-allow-from"), "{text}");
    let named = [&line[..], &["--appio-allow-from", "10.0.0.0/8,192.0.2.7"]].concat();
    let config = config(&named).unwrap();
    assert_eq!(config.clientappio.address.to_string(), "0.0.0.0:9094");
    assert!(config.clientappio.launchers.are_named());
}

#[test]
fn contradictions_name_both_flags() {
    assert!(
        refused(&["--insecure", "--root-certificates", "ca.crt"]).contains("--root-certificates")
    );
    let text = refused(&[
        "--insecure",
        "--auth-supernode-private-key",
        "k",
        "--auth-supernode-public-key",
        "k.pub",
    ]);
    assert!(
        text.contains("--auth-supernode-private-key") && text.contains("--insecure"),
        "{text}"
    );
}

#[test]
fn a_key_is_given_by_its_private_half_and_both_halves_fit() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (keygen(dir.path(), "first"), keygen(dir.path(), "second"));
    let load_key = |private: &str, public: &str| {
        let flags = [PRIVATE_KEY, private, PUBLIC_KEY, public];
        let args = Args::parse_from(["flower-supernode"].iter().chain(&flags));
        NodeKey::load(&args, &Enrolment::None)
    };
    let text = |private: &str, public: &str| {
        let error = load_key(private, public).unwrap_err();
        error
            .source()
            .map_or(error.to_string(), |source| format!("{error}: {source}"))
    };
    let loaded = load_key(&first, &format!("{first}.pub")).unwrap();
    assert_eq!(loaded.path, Some(first.clone().into()));
    let mixed = text(&first, &format!("{second}.pub"));
    assert!(
        mixed.contains("second.pub is not the public key of --auth-supernode-private-key"),
        "{mixed}"
    );
    let missing = text("/nonexistent/key", &format!("{first}.pub"));
    assert!(
        missing.starts_with("--auth-supernode-private-key: /nonexistent/key"),
        "{missing}"
    );
    let swapped = text(&first, &first);
    assert!(
        swapped.starts_with("--auth-supernode-public-key"),
        "{swapped}"
    );
    let of = |flag: &str, path: &str| {
        let args = Args::parse_from(["flower-supernode", flag, path]);
        NodeKey::load(&args, &Enrolment::None)
    };
    assert_eq!(
        of(PRIVATE_KEY, &first).unwrap().private.public_key(),
        loaded.private.public_key()
    );
    let half = of(PUBLIC_KEY, &format!("{first}.pub"));
    let half = half.unwrap_err().to_string();
    assert!(half.contains("--auth-supernode-private-key"), "{half}");
}

#[test]
fn unusable_certificates_name_the_flag_and_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.crt");
    fs::write(&empty, "").unwrap();
    for path in ["/nonexistent/ca.crt", &empty.display().to_string()] {
        let text = refused(&["--root-certificates", path]);
        assert!(
            text.starts_with(&format!("--root-certificates: {path}")),
            "{text}"
        );
    }
}

#[test]
fn the_node_configuration_is_pairs_or_a_file() {
    let pairs = config(&[
        "--insecure",
        "--node-config",
        "partition-id=0 dataset-path=\"a b\" deep.x=true",
    ])
    .unwrap()
    .node_config;
    assert_eq!(pairs["partition-id"], Scalar::Int(0));
    assert_eq!(pairs["dataset-path"], Scalar::Text("a b".to_owned()));
    assert_eq!(pairs["deep.x"], Scalar::Bool(true));

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("node.toml");
    fs::write(&file, "lr = 0.5\n").unwrap();
    let from_file = config(&["--insecure", "--node-config", &file.display().to_string()])
        .unwrap()
        .node_config;
    assert_eq!(from_file["lr"], Scalar::Float(0.5));

    assert!(refused(&["--insecure", "--node-config", "key=unquoted"]).starts_with("--node-config"));
    let text = refused(&["--insecure", "--node-config", "/nonexistent.toml"]);
    assert!(
        text.starts_with("--node-config /nonexistent.toml"),
        "{text}"
    );
}

#[test]
fn addresses_and_times_that_are_none_name_their_flag() {
    assert!(
        refused(&["--insecure", "--superlink", "nowhere"])
            .starts_with("--superlink: Address (nowhere)")
    );
    assert!(refused(&["--insecure", "--superlink", "host:0"]).contains("port 0"));
    assert!(
        refused(&["--insecure", "--clientappio-api-address", "x"])
            .starts_with("--clientappio-api-address")
    );
    assert!(
        refused(&["--insecure", "--health-server-address", "x"])
            .starts_with("--health-server-address")
    );
    assert!(refused(&["--insecure", "--max-wait-time=-1"]).contains("--max-wait-time -1"));
    let waiting = config(&["--insecure", "--max-wait-time", "2.5"]).unwrap();
    assert_eq!(
        waiting.persistence.max_wait,
        Some(Duration::from_millis(2500))
    );
}

#[test]
fn flags_for_what_is_not_built_are_refused_with_the_way_out() {
    for (flags, way_out) in [
        (&["--trusted-entities", "keys.yaml"][..], "would run each"),
        (&["--rest"], "port 9092"),
        (&["--grpc-adapter"], "plain gRPC"),
    ] {
        let text = refused(&[&["--insecure"], flags].concat());
        assert!(text.starts_with(flags[0]), "{text}");
        assert!(text.contains(way_out), "{text}");
    }
}

#[test]
fn the_address_for_clientapps_is_one_flag_or_two() {
    for (flags, address, flag) in [
        (&[][..], "127.0.0.1:9094", "--clientappio-api-address"),
        (&["--host", "127.0.0.2"], "127.0.0.2:9094", "--host"),
        (&["--port", "0"], "127.0.0.1:0", "--port"),
        (&["--host", "::1", "--port", "9"], "[::1]:9", "--port"),
    ] {
        let clientappio = config(&[&["--insecure"], flags].concat())
            .unwrap()
            .clientappio;
        assert_eq!(clientappio.address.to_string(), address);
        assert_eq!(clientappio.flag, flag);
    }
    for flags in [["--host", "127.0.0.1"], ["--port", "9094"]] {
        let both = [
            "flower-supernode",
            "--clientappio-api-address",
            "127.0.0.1:9095",
        ];
        let told = Args::try_parse_from(both.iter().chain(&flags)).unwrap_err();
        assert_eq!(told.exit_code(), 2);
        assert!(
            told.to_string().contains("--clientappio-api-address"),
            "{told}"
        );
    }
}

#[test]
fn clientappio_speaks_tls_with_the_certificate_of_either_name() {
    let files = flwr_security::testing::Files::new();
    let path = |name: &str| files.dir().join(name).display().to_string();
    for prefix in ["--ssl", "--appio-ssl"] {
        let flags = [
            "--insecure".to_owned(),
            format!("{prefix}-ca-certfile={}", path("ca.crt")),
            format!("{prefix}-certfile={}", path("server.pem")),
            format!("{prefix}-keyfile={}", path("server.key")),
            "--host=0.0.0.0".to_owned(),
        ];
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let open = config(&flags).unwrap();
        assert!(open.clientappio.tls.is_some());
        assert_eq!(open.clientappio.address.to_string(), "0.0.0.0:9094");
        let told = refused(&flags[..3]);
        assert!(told.contains("--ssl-keyfile"), "{told}");
    }
    let told = refused(&["--insecure", "--host=0.0.0.0"]);
    assert!(told.contains("--ssl-certfile"), "{told}");
}

#[test]
fn an_app_that_is_installed_for_each_process_is_loaded_by_no_other() {
    let args = |flags: &[&str]| {
        let flag = "--allow-runtime-dependency-installation";
        Args::parse_from(["flower-supernode", "--insecure", flag].iter().chain(flags))
    };
    let told = launch(&args(&["--clientapp-reuse", "run"]))
        .unwrap_err()
        .to_string();
    assert!(told.contains("--clientapp-reuse run excludes"), "{told}");
    let process = Config::try_from(args(&["--isolation", "process"])).unwrap();
    let is_told = |told: &String| told.contains("give the flag to flower-superexec");
    assert!(
        process.warnings.iter().any(is_told),
        "{:?}",
        process.warnings
    );
}
