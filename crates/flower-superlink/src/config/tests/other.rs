//! Flags and variables of SuperLinks of other releases.

use super::*;

const APPIO: &str = "--appio-ssl-ca-certfile DIR/ca.crt --appio-ssl-certfile DIR/server.pem --appio-ssl-keyfile DIR/server.key";

#[test]
fn flags_for_what_is_not_built_are_refused_with_the_way_out() {
    let files = Files::new();
    for (flags, way_out) in [
        ("--simulation", "flwr up"),
        ("--disable-grpc-api", "--fleet-api-address 127.0.0.1:9092"),
        ("--fleet-api-type rest", "without --rest"),
        ("--fleet-api-type grpc-adapter", "without --grpc-adapter"),
    ] {
        let told = files.error(&format!("--insecure {flags}"));
        assert!(
            told.starts_with(&format!("{flags} is not built: ")),
            "{told}"
        );
        assert!(told.contains(way_out), "{told}");
    }
}

#[test]
fn flags_that_change_nothing_are_accepted_and_told() {
    let files = Files::new();
    for (flags, is_told) in [
        ("--simulationio-api-address 0.0.0.0:9096", true),
        ("--fleet-api-num-workers 4", true),
        ("--executor flwr.superexec.deployment:executor", true),
        ("--executor-dir .", true),
        ("--executor-config key=1", true),
        ("--allow-runtime-dependency-installation", true),
        ("--disable-runtime-dependency-installation", false),
        ("--enable-http-api", false),
        ("--fleet-api-type grpc-rere", false),
        (
            "--host 127.0.0.1 --port 39091 --control-api-address 127.0.0.1:39093",
            false,
        ),
    ] {
        let config = files.config(&format!("--insecure {flags}")).unwrap();
        let flag = flags.split(' ').next().unwrap();
        let told = config.warnings.iter().any(|told| told.starts_with(flag));
        assert_eq!(told, is_told, "{flags}: {:?}", config.warnings);
    }
}

#[test]
fn a_variable_that_lets_in_accounts_only_is_not_ignored() {
    let args = |flags: &[&str]| {
        let words = ["flower-superlink", "--insecure"].iter().chain(flags);
        Args::try_parse_from(words).unwrap()
    };
    let on = |name: &str| (name == "FLWR_OIDC_ENABLED").then(|| "1".to_owned());
    let told = not_built(&args(&[]), on).unwrap_err().to_string();
    for word in ["FLWR_OIDC_ENABLED", "--account-auth-config"] {
        assert!(told.contains(word), "{told}");
    }
    not_built(&args(&["--account-auth-config", "accounts.toml"]), on).unwrap();
    not_built(&args(&[]), |_| Some("0".to_owned())).unwrap();
    let set = |_: &str| Some("1".to_owned());
    let told = deprecations(&args(&[]), set).join("\n");
    for word in ["FLWR_DATABASE", "FLWR_ENABLE_EVENT_LOG"] {
        assert!(told.contains(word), "{told}");
    }
}

#[test]
fn serverappio_has_a_certificate_of_its_own_also_where_others_speak_plaintext() {
    let files = Files::new();
    for line in ["--insecure", TLS] {
        let config = files.config(&format!("{line} {APPIO}")).unwrap();
        let serverappio = &config.serverappio;
        assert!(serverappio.tls.is_some() && !serverappio.shares_tls);
        assert_eq!(serverappio.address.to_string(), "0.0.0.0:9091");
    }
    let plaintext = files.config("--insecure").unwrap().serverappio;
    assert!(plaintext.tls.is_none());
    let half = "--insecure --appio-ssl-certfile DIR/server.pem";
    let told = files.error(half);
    assert!(told.contains("--appio-ssl-keyfile"), "{told}");
    let line = format!("{TLS} {APPIO} --serverappio-tls");
    let words = ["flower-superlink"].into_iter().chain(line.split(' '));
    let told = Args::try_parse_from(words).unwrap_err().to_string();
    assert!(told.contains("--serverappio-tls"), "{told}");
}

#[test]
fn a_log_file_is_rotated_each_day_and_seven_are_kept() {
    let file = |flags: &[&str]| {
        let words = ["flower-superlink", "--log-file", "x.log"];
        let args = Args::try_parse_from(words.iter().chain(flags));
        args.map(|args| args.logs.file().unwrap())
    };
    let hours = |number: u64| Duration::from_secs(3600 * number);
    let usual = file(&[]).unwrap();
    assert_eq!((usual.interval, usual.backups), (hours(24), 7));
    let flags = [
        "--log-rotation-interval-hours=2",
        "--log-rotation-backup-count=3",
    ];
    let given = file(&flags).unwrap();
    assert_eq!((given.interval, given.backups), (hours(2), 3));
    for flag in [
        "--log-rotation-interval-hours=0",
        "--log-rotation-backup-count=0",
    ] {
        file(&[flag]).unwrap_err();
    }
    let without = Args::try_parse_from(["flower-superlink"]).unwrap();
    assert!(without.logs.file().is_none());
}
