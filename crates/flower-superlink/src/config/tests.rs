//! What is said about flags that do not go together.

use std::fs;

use clap::Parser;
use flwr_core::cause::chain;
use flwr_security::key::PrivateKey;
use flwr_security::testing;
use time::OffsetDateTime;

use super::places::IN_MEMORY;
use super::*;
use crate::store::{Database, Storage};

mod advertised;
mod joining;
mod older;
mod other;

struct Files(testing::Files);

impl Files {
    fn new() -> Self {
        let files = testing::Files::new();
        let key = PrivateKey::generate().unwrap();
        files.write("keys.csv", &key.public_key().to_openssh());
        Self(files)
    }

    /// The configuration of a command line, in which `DIR` stands for the files' directory.
    fn config(&self, line: &str) -> Result<Config, ConfigError> {
        let line = line.replace("DIR", &self.0.dir().display().to_string());
        // The machine that tests this may have no flwr.
        let line = line + " --isolation process";
        let words = ["flower-superlink"]
            .into_iter()
            .chain(line.split_whitespace());
        Config::try_from(Args::try_parse_from(words).unwrap())
    }

    /// What is wrong with it, causes included.
    fn error(&self, line: &str) -> String {
        chain(&self.config(line).unwrap_err())
    }
}

const TLS: &str =
    "--ssl-ca-certfile DIR/ca.crt --ssl-certfile DIR/server.pem --ssl-keyfile DIR/server.key";

#[test]
fn flags_that_do_not_go_together_are_refused_by_name() {
    let files = Files::new();
    let cases = [
        ("", "certificates are required: give --ssl-ca-certfile"),
        (
            "--ssl-ca-certfile DIR/ca.crt --ssl-certfile DIR/server.pem",
            "--ssl-ca-certfile is given without --ssl-keyfile",
        ),
        (
            "--ssl-keyfile DIR/server.key",
            "--ssl-keyfile is given without --ssl-ca-certfile",
        ),
        (
            "--insecure --auth-list-public-keys DIR/keys.csv",
            "--auth-list-public-keys needs TLS",
        ),
        (
            "--ssl-ca-certfile DIR/ca.crt --ssl-certfile DIR/server.pem --ssl-keyfile DIR/ca.key",
            "--ssl-keyfile: ",
        ),
        (
            "--insecure --fleet-api-address nowhere",
            "--fleet-api-address: ",
        ),
        (
            &format!("{TLS} --ssl-client-crl-file DIR/crl.pem"),
            "--ssl-client-crl-file is of use with --ssl-client-ca-certfile only",
        ),
        (
            &format!("{TLS} --control-client-auth none"),
            "--control-client-auth none is of use with --ssl-client-ca-certfile only",
        ),
        (
            &format!("{TLS} --ssl-control-client-crl-file DIR/crl.pem"),
            "--ssl-control-client-crl-file is of use with --ssl-control-client-ca-certfile only",
        ),
        (
            &format!("{TLS} --ssl-control-client-allow-list DIR/list.txt"),
            "--ssl-control-client-allow-list is of use with --ssl-client-ca-certfile only",
        ),
        (
            &format!(
                "{TLS} --ssl-control-client-ca-certfile DIR/ca.crt --control-client-auth none"
            ),
            "--control-client-auth none is of use with",
        ),
        (
            &format!(
                "{TLS} --ssl-client-ca-certfile DIR/ca.crt \
                 --ssl-control-client-ca-certfile DIR/ca.crt --control-client-auth none"
            ),
            "--ssl-control-client-ca-certfile excludes --control-client-auth none",
        ),
        (
            &format!("{TLS} --ssl-control-client-ca-certfile DIR/none"),
            "--ssl-control-client-ca-certfile: ",
        ),
        (
            &format!(
                "{TLS} --ssl-control-client-ca-certfile DIR/ca.crt \
                 --ssl-control-client-allow-list DIR/none"
            ),
            "--ssl-control-client-allow-list: ",
        ),
        (
            "--insecure --ssl-control-client-ca-certfile DIR/ca.crt",
            "--ssl-control-client-ca-certfile needs TLS",
        ),
        (
            "--insecure --ssl-client-allow-list DIR/list.txt",
            "--ssl-client-allow-list needs TLS",
        ),
        (
            "--insecure --serverappio-tls",
            "--serverappio-tls needs TLS",
        ),
        (
            &format!("{TLS} --ssl-client-ca-certfile DIR/ca.crt --ssl-client-crl-file DIR/ca.key"),
            "--ssl-client-crl-file: ",
        ),
        (
            &format!("{TLS} --ssl-client-ca-certfile DIR/ca.crt --ssl-client-allow-list DIR/none"),
            "--ssl-client-allow-list: ",
        ),
    ];
    for (line, text) in cases {
        let error = files.error(line);
        assert!(error.starts_with(text), "{line}: {error}");
        assert!(!error.contains('\n'), "{line}: {error}");
    }
    let missing = format!("{TLS} --auth-list-public-keys DIR/missing.csv");
    assert!(
        files
            .error(&missing)
            .contains("missing.csv: cannot be read")
    );
}

#[test]
fn tls_with_a_list_of_keys_is_taken() {
    let config = Files::new().config(&format!("{TLS} --auth-list-public-keys DIR/keys.csv"));
    let config = config.unwrap();
    assert!(matches!(config.transport, Transport::Tls(_)));
    assert!(matches!(&config.policy, Policy::Listed(keys) if keys.now().len() == 1));
    assert_eq!(config.warnings, [] as [String; 0]);
}

#[test]
fn accounts_need_tls_and_a_good_file() {
    let files = Files::new();
    let file = files.0.dir().join("accounts.toml");
    let good = "issuer = \"https://idp.example.org\"\nclient-id = \"flower\"\nallow = \"any\"\n\
                root-certificates = \"ca.crt\"\n";
    fs::write(&file, good).unwrap();
    for flag in ["--account-auth-config", "--user-auth-config"] {
        let config = files.config(&format!("{TLS} {flag} DIR/accounts.toml"));
        let shown = config.unwrap().accounts.unwrap().shown();
        assert_eq!(shown, "any account and 0 admins of https://idp.example.org");
    }
    let plain = files.error("--insecure --account-auth-config DIR/accounts.toml");
    assert!(
        plain.starts_with("--account-auth-config needs TLS"),
        "{plain}"
    );
    let line = format!("{TLS} --account-auth-config DIR/accounts.toml");
    let open = files.error(&format!("{line} --serverappio-tls"));
    assert!(
        open.starts_with("--serverappio-tls lets everybody"),
        "{open}"
    );
    let asked = files.config(&format!(
        "{line} --serverappio-tls --ssl-client-ca-certfile DIR/ca.crt --appio-allow-from ::1"
    ));
    assert!(asked.unwrap().accounts.is_some());

    let dir = files.0.dir().display().to_string();
    for (wrong, expected) in [
        (
            "alow = []".to_owned(),
            "`alow` is not known; did you mean `allow`?",
        ),
        (
            good.replace("ca.crt", "gone.crt"),
            "`root-certificates`: DIR/gone.crt: cannot be read",
        ),
        (
            format!("{good}client-secret-file = \"gone\""),
            "`client-secret-file`: DIR/gone: ",
        ),
        (
            format!("{good}client-secret-file = \"empty\""),
            "`client-secret-file`: DIR/empty: there is nothing in it",
        ),
    ] {
        fs::write(files.0.dir().join("empty"), "\n").unwrap();
        fs::write(&file, wrong).unwrap();
        let told = files.error(&line);
        let expected = format!("--account-auth-config: DIR/accounts.toml: {expected}");
        assert!(told.starts_with(&expected.replace("DIR", &dir)), "{told}");
        assert!(!told.contains('\n'), "{told}");
    }
}

#[test]
fn serverappio_is_reachable_from_elsewhere_only_with_leave() {
    let files = Files::new();
    let address = |line: &str| files.config(line).unwrap().serverappio.address.to_string();
    assert_eq!(address("--insecure"), "127.0.0.1:9091");
    let given = "--insecure --serverappio-api-address";
    assert_eq!(address(&format!("{given} [::1]:7")), "[::1]:7");
    let typed = format!("{given} 0.0.0.0:7");
    let refused = files.error(&typed);
    assert!(refused.contains("--allow-plaintext-appio"), "{refused}");
    let plaintext = "--allow-plaintext-appio";
    assert_eq!(address(&format!("{typed} {plaintext}")), "0.0.0.0:7");
    assert_eq!(address(&format!("--insecure {plaintext}")), "0.0.0.0:9091");

    // Where strangers are kept out, nobody gets tokens by reaching the port.
    fs::write(files.0.dir().join("secret"), "a secret that is long enough").unwrap();
    for leave in [plaintext, "--serverappio-tls"] {
        let listed = format!("{TLS} --auth-list-public-keys DIR/keys.csv {leave}");
        let refused = files.error(&listed);
        assert!(
            refused.contains("--superexec-auth-secret-file"),
            "{refused}"
        );
        for named in [
            "--appio-allow-from 10.0.0.0/8",
            "--superexec-auth-secret-file DIR/secret",
        ] {
            assert_eq!(address(&format!("{listed} {named}")), "0.0.0.0:9091");
        }
    }
    let gone = files.error("--insecure --superexec-auth-secret-file DIR/gone");
    assert!(gone.starts_with("--superexec-auth-secret-file: "), "{gone}");
}

#[test]
fn old_flags_work_with_a_warning() {
    let files = Files::new();
    let config = files
        .config("--insecure --exec-api-address 127.0.0.1:7")
        .unwrap();
    assert_eq!(config.control.to_string(), "127.0.0.1:7");
    assert!(
        config
            .warnings
            .iter()
            .any(|warning| warning.contains("--control-api-address"))
    );
}

#[test]
fn check_config_tells_a_warning_about_the_certificate_once() {
    let (files, others) = (Files::new(), Files::new());
    let other_ca = others.0.dir().join("ca.crt");
    let line = TLS.replace("DIR/ca.crt", &other_ca.display().to_string());
    let config = files
        .config(&format!("{line} --exec-api-address 127.0.0.1:0"))
        .unwrap();
    let [deprecation, certificate] = &config.warnings[..] else {
        panic!("{:?}", config.warnings);
    };
    let told = crate::checkup::check(&config, OffsetDateTime::now_utc()).to_string();
    for warning in [deprecation, certificate] {
        assert_eq!(
            told.matches(warning.as_str()).count(),
            1,
            "{warning}: {told}"
        );
    }
}

#[test]
fn clients_are_asked_where_a_ca_for_them_is_given() {
    let files = Files::new();
    fs::write(files.0.dir().join("list.txt"), "CN=node-1\n").unwrap();
    let line =
        format!("{TLS} --ssl-client-ca-certfile DIR/ca.crt --ssl-client-allow-list DIR/list.txt");
    let config = files.config(&line).unwrap();
    assert!(matches!(&config.transport, Transport::Tls(tls) if tls.asks_clients()));
    assert!(config.control_asks && config.clients.is_some());
    let config = files.config(&format!("{line} --control-client-auth none"));
    assert!(!config.unwrap().control_asks);
    assert!(matches!(
        &files.config(TLS).unwrap().transport,
        Transport::Tls(tls) if !tls.asks_clients()
    ));
}

#[test]
fn people_have_the_list_of_their_ca() {
    let files = Files::new();
    let others = Files::new();
    let dir = files.0.dir();
    fs::copy(others.0.dir().join("ca.crt"), dir.join("people.crt")).unwrap();
    fs::write(dir.join("list.txt"), "CN=node-1\n").unwrap();
    fs::write(dir.join("people.txt"), "CN=alice\nCN=bob\n").unwrap();
    let line =
        format!("{TLS} --ssl-client-ca-certfile DIR/ca.crt --ssl-client-allow-list DIR/list.txt");
    let count = |line: &str| {
        let list = files.config(line).unwrap().list_of_people();
        list.map(|list| list.now().len())
    };
    assert_eq!(count(&line), Some(1));
    let own_list = "--ssl-control-client-allow-list DIR/people.txt";
    assert_eq!(count(&format!("{line} {own_list}")), Some(2));
    let own_ca = format!("{line} --ssl-control-client-ca-certfile DIR/people.crt");
    assert_eq!(count(&own_ca), None, "the list names no person of that CA");
    assert_eq!(count(&format!("{own_ca} {own_list}")), Some(2));
}

#[test]
fn objects_are_kept_where_the_state_is_unless_told_otherwise() {
    let files = Files::new();
    let places = |flags: &str| files.config(&format!("--insecure {flags}")).unwrap().places;
    let home = places("--flwr-dir DIR/home");
    let file = files.0.dir().join("home/superlink/state.db");
    assert_eq!(home.storage, Storage::beside(&file));
    assert_eq!(home.database, Database::File(file));
    for name in IN_MEMORY {
        let memory = places(&format!("--database {name}"));
        assert_eq!(memory.database, Database::Memory);
        assert_eq!(memory.storage, Storage::Memory);
    }
    let given = places("--database DIR/a.db --storage-dir DIR/objects");
    let dir = files.0.dir().join("objects");
    assert_eq!(given.storage, Storage::Dir(dir));
}

#[test]
fn a_bucket_goes_with_a_database_that_is_elsewhere_only() {
    let files = Files::new();
    let config = |flags: &str| files.config(&format!("--insecure {flags}"));
    let postgres = "--database postgres://me@localhost/state";
    let bucket = "--storage s3://models/a?region=eu";
    let given = config(&format!("{postgres} {bucket} --storage-cache 1M")).unwrap();
    let Storage::Bucket(found) = given.places.storage else {
        panic!("{:?}", given.places.storage);
    };
    assert_eq!(
        (found.url.to_string().as_str(), found.cache),
        ("s3://models/a", 1 << 20)
    );
    let refused = |flags: &str| config(flags).unwrap_err().to_string();
    let alone = refused(bucket);
    assert!(alone.contains("needs --database postgres://"), "{alone}");
    let nowhere = refused(postgres);
    assert!(
        nowhere.contains("--storage s3://BUCKET/PREFIX"),
        "{nowhere}"
    );
    let wrong = config(&format!("{postgres} --storage gs://models")).unwrap_err();
    let wrong = chain(&wrong);
    assert!(
        wrong.starts_with("--storage: `gs://models` is not"),
        "{wrong}"
    );
}

#[test]
fn max_storage_is_a_number_of_bytes_with_or_without_a_unit() {
    let limit = |text: &str| {
        let line = format!("flower-superlink --insecure --max-storage {text}");
        Args::try_parse_from(line.split_whitespace()).map(|args| args.max_storage)
    };
    assert_eq!(limit("1500").unwrap(), Some(1500));
    assert_eq!(limit("2k").unwrap(), Some(2048));
    assert_eq!(limit("3G").unwrap(), Some(3 << 30));
    for wrong in ["0", "G", "1.5G", "-1", "99999999T", "10 MB", "10MB"] {
        assert!(limit(wrong).is_err(), "{wrong}");
    }
}
