use std::path::Path;

use clap::CommandFactory;

use super::*;

/// Kept in `testdata/help.txt`: a change of a flag shows there. After a wanted change write it
/// anew with `FLWR_UPDATE_HELP=1 cargo test -p flower-superlink help`.
#[test]
fn help_is_as_recorded() {
    let help = Args::command()
        .term_width(100)
        .render_long_help()
        .to_string();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/help.txt");
    if std::env::var_os("FLWR_UPDATE_HELP").is_some() {
        std::fs::write(&file, &help).unwrap();
    }
    assert_eq!(help, std::fs::read_to_string(&file).unwrap());
}

/// The flags of a file and those that are typed beside it.
fn beside(file: &str, typed: &[&str]) -> Result<Args, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, file).unwrap();
    let config = format!("--config={}", path.display());
    let words = ["flower-superlink", &config].into_iter();
    let words: Vec<_> = words.chain(typed.iter().copied()).map(Into::into).collect();
    flwr_daemon::config_file::parse_from(&words, |_| None).map_err(|error| error.to_string())
}

#[test]
fn what_a_flag_needs_may_stand_in_the_file_and_the_other_way_round() {
    for check in ["check-state", "check_state", "check"] {
        let file = format!("{check} = true");
        assert!(beside(&file, &["--repair"]).unwrap().repair, "{check}");
    }
    for check in ["--check-state", "--check"] {
        assert!(beside("repair = true", &[check]).unwrap().repair, "{check}");
    }
    let error = beside("repair = true", &[]).unwrap_err();
    assert!(
        error.contains("--config") && error.contains("--check-state"),
        "{error}"
    );
}

#[test]
fn each_pair_that_excludes_each_other_is_refused_across_file_and_line() {
    let three = ["a", "b", "c"];
    for (key, value, typed) in [
        ("ssl-ca-certfile", "'x'", "--certificates"),
        ("ssl-certfile", "'x'", "--certificates"),
        ("ssl-keyfile", "'x'", "--certificates"),
        (
            "auth-list-public-keys",
            "'x'",
            "--require-client-authentication",
        ),
        ("check-state", "true", "--check-config"),
        ("repair", "true", "--check-config"),
        ("control-api-address", "'x:1'", "--exec-api-address"),
    ] {
        let values: &[&str] = match typed {
            "--check-config" => &[],
            "--exec-api-address" => &["y:1"],
            _ => &three,
        };
        let line = [&[typed], values].concat();
        let error = beside(&format!("{key} = {value}"), &line).unwrap_err();
        let named = [&format!("--{key}"), typed, "--config"];
        assert!(named.iter().all(|name| error.contains(*name)), "{error}");
        beside("", &line).unwrap();
    }
}

#[test]
fn networks_of_balancers_stand_in_a_list_or_between_commas() {
    let networks = ["10.0.0.0/8", "fd00::/8"];
    for (file, typed) in [
        ("proxy-protocol-from = ['10.0.0.0/8', 'fd00::/8']", &[][..]),
        ("proxy-protocol-from = '10.0.0.0/8,fd00::/8'", &[]),
        ("", &["--proxy-protocol-from=10.0.0.0/8,fd00::/8"]),
    ] {
        let given = beside(file, typed).unwrap().proxy_protocol_from;
        let given: Vec<_> = given.iter().map(ToString::to_string).collect();
        assert_eq!(given, networks, "{file} {typed:?}");
    }
    let error = beside("", &["--proxy-protocol-from=10.0.0.0/40"]).unwrap_err();
    assert!(error.contains("10.0.0.0/40"), "{error}");
    let error = beside("", &["--max-in-flight=1M"]).unwrap_err();
    assert!(error.contains("at least 32.0 MiB"), "{error}");
}
