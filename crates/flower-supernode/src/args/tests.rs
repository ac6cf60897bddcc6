use std::path::Path;

use clap::CommandFactory;

use super::*;

/// Kept in `testdata/help.txt`: a change of a flag shows there. After a wanted change write it
/// anew with `FLWR_UPDATE_HELP=1 cargo test -p flower-supernode help`.
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

#[test]
fn the_flags_are_consistent() {
    Args::command().debug_assert();
}

#[test]
fn flags_are_read_as_argparse_reads_them() {
    let typed = ["flower-supernode", "--superl", "a:1", "--superlink=b:2"];
    assert_eq!(Args::parse_from(typed).superlink.as_deref(), Some("b:2"));
}

#[test]
fn what_a_flag_needs_may_stand_in_the_file_and_the_other_way_round() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    let config = format!("--config={}", path.display());
    let (needs, needed) = ("ssl-allow-legacy-certificates", "root-certificates");
    for (file, typed) in [
        (format!("{needed} = 'ca.crt'"), format!("--{needs}")),
        (format!("{needs} = true"), format!("--{needed}=ca.crt")),
        (
            "use_secure_connection = true".to_owned(),
            format!("--{needs}"),
        ),
    ] {
        std::fs::write(&path, file).unwrap();
        let words = ["flower-supernode", &config, &typed].map(Into::into);
        let args: Args = flwr_daemon::config_file::parse_from(&words, |_| None).unwrap();
        assert!(args.ssl_allow_legacy_certificates, "{typed}");
        assert!(args.root_certificates.is_some(), "{typed}");
    }
}

#[test]
fn check_means_the_configuration_and_excludes_the_check_of_the_state() {
    let parse = |flags: &[&str]| {
        Args::try_parse_from(["flower-supernode"].iter().chain(flags))
            .map_err(|error| error.to_string())
    };
    for flag in ["--check", "--check-config"] {
        assert!(parse(&[flag]).unwrap().check_config, "{flag}");
        let error = parse(&[flag, "--check-state"]).unwrap_err();
        assert!(error.contains("cannot be used with"), "{error}");
        let error = parse(&[flag, "--repair"]).unwrap_err();
        assert!(error.contains("cannot be used with"), "{error}");
    }
    assert!(parse(&["--check-state", "--repair"]).unwrap().repair);
    let error = parse(&["--repair"]).unwrap_err();
    assert!(error.contains("--check-state"), "{error}");
}

#[test]
fn the_time_to_drain_is_a_number_of_seconds() {
    let drain = |text: &str| {
        let typed = ["flower-supernode".to_owned(), format!("--drain={text}")];
        Args::try_parse_from(typed).map(|args| args.drain.as_secs_f64())
    };
    for (text, seconds) in [("60s", 60.0), ("0", 0.0), ("1.5", 1.5), ("2 s", 2.0)] {
        assert_eq!(drain(text).unwrap(), seconds);
    }
    for wrong in ["", "s", "-1", "nan", "1m", "1e300"] {
        let error = drain(wrong).unwrap_err().to_string();
        assert!(
            error.contains("--drain") && error.contains("seconds"),
            "{error}"
        );
    }
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let args = Args::parse_from(["flower-supernode"]);
    assert_eq!(args.drain, Duration::from_secs(60));
    assert_eq!(args.superlink, None);
    assert_eq!(args.isolation, Isolation::Subprocess);
    assert_eq!(args.appio.clientappio_api_address, None);
}
