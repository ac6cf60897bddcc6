//! The flags about SuperNodes that join where Fleet asks for client certificates.

use flwr_security::pki::Authority;

use super::*;

const NODE_CA: &str = "--node-ca-certfile DIR/nodes.crt --node-ca-keyfile DIR/nodes.key";

/// The files of a server, and those of a CA for nodes.
fn files() -> Files {
    let files = Files::new();
    let ca = Authority::make("Nodes", 60, None).unwrap();
    files.0.write("nodes.crt", &ca.certificate);
    files.0.write("nodes.key", &ca.key);
    files
}

#[test]
fn flags_about_nodes_that_join_need_each_other() {
    let files = files();
    let on = format!("{TLS} --enable-supernode-auth");
    for (line, expected) in [
        (
            format!("{on} --node-ca-certfile DIR/nodes.crt"),
            "--node-ca-certfile is given without --node-ca-keyfile",
        ),
        (
            format!("{on} --node-ca-keyfile DIR/nodes.key"),
            "--node-ca-keyfile is given without --node-ca-certfile",
        ),
        (
            format!("{on} --join-api-address 127.0.0.1:9097"),
            "--join-api-address needs --node-ca-certfile and --node-ca-keyfile",
        ),
        (
            format!("{TLS} {NODE_CA}"),
            "--node-ca-certfile needs --enable-supernode-auth",
        ),
        (
            format!("{TLS} --join-api-address 127.0.0.1:9097"),
            "--join-api-address needs --enable-supernode-auth",
        ),
        (
            format!("--insecure {NODE_CA}"),
            "--node-ca-certfile needs TLS",
        ),
        (
            "--insecure --join-api-address 127.0.0.1:9097".to_owned(),
            "--join-api-address needs TLS",
        ),
        (
            format!("{on} {NODE_CA} --join-api-address nowhere"),
            "--join-api-address: ",
        ),
    ] {
        let error = files.error(&line);
        assert!(error.starts_with(expected), "{line}: {error}");
    }
}

#[test]
fn the_files_of_the_ca_for_nodes_are_named_where_they_are_of_no_use() {
    let files = files();
    let ca = Authority::make("Nodes", 60, None).unwrap();
    files.0.write("other.key", &ca.key);
    let on = format!("{TLS} --enable-supernode-auth");
    for (flags, flag, why) in [
        (
            "--node-ca-certfile DIR/none --node-ca-keyfile DIR/nodes.key",
            "--node-ca-certfile",
            "cannot be read",
        ),
        (
            "--node-ca-certfile DIR/server.pem --node-ca-keyfile DIR/server.key",
            "--node-ca-certfile",
            "no CA's certificate",
        ),
        (
            "--node-ca-certfile DIR/nodes.crt --node-ca-keyfile DIR/other.key",
            "--node-ca-keyfile",
            "not the key of the certificate",
        ),
        (
            "--node-ca-certfile DIR/nodes.crt --node-ca-keyfile DIR/nodes.crt",
            "--node-ca-keyfile",
            "no private key in it",
        ),
    ] {
        let error = files.error(&format!("{on} {flags}"));
        assert!(error.starts_with(flag), "{flags}: {error}");
        assert!(error.contains(why), "{flags}: {error}");
    }
}

#[test]
fn the_ca_for_nodes_is_no_ca_of_people_or_programs() {
    let files = files();
    for flags in [
        "--ssl-client-ca-certfile DIR/nodes.crt",
        "--ssl-control-client-ca-certfile DIR/nodes.crt",
    ] {
        let error = files.error(&format!("{TLS} --enable-supernode-auth {NODE_CA} {flags}"));
        assert!(error.starts_with("--node-ca-certfile: "), "{error}");
        assert!(error.contains("`flwr cert ca`"), "{error}");
    }
}

#[test]
fn fleet_asks_for_certificates_where_there_is_a_ca_for_nodes() {
    let files = files();
    let line = format!("{TLS} --enable-supernode-auth {NODE_CA} --join-api-address 127.0.0.1:9097");
    let config = files.config(&line).unwrap();
    let tls = config.transport.tls().unwrap();
    assert!(tls.asks_clients() && !tls.asks_people());
    assert!(config.joining.authority.is_some());
    let address = config.joining.address.unwrap();
    assert_eq!(address.to_string(), "127.0.0.1:9097");
    // The CA for nodes is of use without the port too: nobody new joins then.
    let line = format!("{TLS} --enable-supernode-auth {NODE_CA}");
    let config = files.config(&line).unwrap();
    assert!(config.joining.authority.is_some() && config.joining.address.is_none());
}
