//! What flags of older versions mean, and whether nodes of older versions are served.

use super::*;

#[test]
fn older_nodes_on_a_list_are_served_only_where_a_flag_says_so() {
    let files = Files::new();
    let key = PrivateKey::generate().unwrap();
    key.write_openssh_pair(&files.0.dir().join("server"), false)
        .unwrap();
    let own_key = "--auth-superlink-private-key DIR/server";
    let listed = format!("{TLS} --auth-list-public-keys DIR/keys.csv");
    let oldest_tls = "--certificates DIR/ca.crt DIR/server.pem DIR/server.key";
    for (line, is_served) in [
        (format!("{listed} {own_key}"), false),
        (format!("{listed} {own_key} --serve-older 1.8"), true),
        (
            format!("{oldest_tls} --auth-list-public-keys DIR/keys.csv {own_key}"),
            true,
        ),
        (
            format!("{TLS} --require-client-authentication DIR/keys.csv DIR/server DIR/server.pub"),
            true,
        ),
    ] {
        let config = format!("{line} --serverappio-api-address 127.0.0.1:9091");
        let config = files.config(&config).unwrap();
        assert_eq!(config.own_key.is_some(), is_served, "{line}");
        let named = |told: &String| told.contains("--serve-older 1.8");
        let is_told = config.warnings.iter().any(named);
        assert!(
            is_told || is_served && line.contains("--serve-older"),
            "{line}"
        );
    }
    let without = files.error(&format!("{listed} --serve-older 1.8"));
    assert!(
        without.starts_with("--serve-older 1.8 needs --auth-superlink-private-key"),
        "{without}"
    );
}

#[test]
fn the_superlinks_own_key_is_read_where_older_nodes_are_served() {
    let files = Files::new();
    // Command lines of flwr 1.20 to 1.22 may name a file that is not there.
    for file in ["gone", "keys.csv"] {
        let line = format!("{TLS} --auth-superlink-private-key DIR/{file}");
        assert!(files.config(&line).unwrap().own_key.is_none(), "{file}");
        let wrong = files.error(&format!("{line} --serve-older 1.8"));
        assert!(
            wrong.starts_with("--auth-superlink-private-key: "),
            "{wrong}"
        );
    }
    let line = format!("{TLS} --require-client-authentication DIR/keys.csv DIR/gone DIR/gone.pub");
    let missing = files.error(&line);
    assert!(
        missing.starts_with("--auth-superlink-private-key: "),
        "{missing}"
    );
    let oldest_tls = "--certificates DIR/ca.crt DIR/server.pem DIR/server.key";
    let config = files.config(&format!(
        "{oldest_tls} --auth-superlink-private-key DIR/gone"
    ));
    let config = config.unwrap();
    assert!(config.own_key.is_none());
    let is_told = |told: &String| told.contains("there is no");
    assert!(config.warnings.iter().any(is_told));
}

#[test]
fn the_oldest_flags_are_told_in_todays_words_in_one_line() {
    let files = Files::new();
    let key = PrivateKey::generate().unwrap();
    key.write_openssh_pair(&files.0.dir().join("server"), false)
        .unwrap();
    let line = "--certificates DIR/ca.crt DIR/server.pem DIR/server.key \
        --require-client-authentication DIR/keys.csv DIR/server DIR/server.pub \
        --serverappio-api-address 127.0.0.1:9091";
    let config = files.config(line).unwrap();
    assert!(matches!(config.transport, Transport::Tls(_)));
    assert!(matches!(&config.policy, Policy::Listed(keys) if keys.now().len() == 1));
    assert!(config.serverappio.shares_tls);
    assert!(config.own_key.is_some());
    let today = "--certificates and --require-client-authentication: deprecated; today's command is \
        `flower-superlink --ssl-ca-certfile DIR/ca.crt --ssl-certfile DIR/server.pem --ssl-keyfile \
        DIR/server.key --auth-list-public-keys DIR/keys.csv --auth-superlink-private-key DIR/server \
        --serve-older 1.8 --serverappio-tls`";
    let dir = files.0.dir().display().to_string();
    assert_eq!(config.warnings, [today.replace("DIR", &dir)]);
}
