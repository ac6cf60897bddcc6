//! The local federation: its status, and the output of its daemons.

use flwr_core::port::control::Usage;

use super::*;

#[test]
fn the_local_federation_is_told_up_or_down() {
    let description = crate::local_federation::LocalFederation {
        pid: 7,
        since: "2026-11-21T11:00:00Z".into(),
        address: "127.0.0.1:9093".into(),
        fleet_address: "127.0.0.1:9092".into(),
        root_certificates: "/home/you/.flwr/local/certificates/ca.crt".into(),
        supernodes: 2,
        log: Some("/home/you/.flwr/local/federation.log".into()),
    };
    let (mut output, out, _) = pages(Format::Default, true);
    output.up(&description).unwrap();
    assert_eq!(
        out.text(),
        "\
The local federation is up: a SuperLink at 127.0.0.1:9093, 2 SuperNodes, TLS and SuperNode authentication.
  flwr run path/to/app --stream    runs an app on it
  flwr status, flwr down           tell of it, and stop it
  /home/you/.flwr/local/federation.log
"
    );
    let status = LocalStatus::Up {
        description,
        online: 1,
        usage: Some(Box::new(Usage {
            runs: 12,
            finished_runs: 11,
            log_bytes: 3 << 20,
            database_bytes: 9 << 20,
            free_bytes: 2048,
            ..Usage::default()
        })),
    };
    let (mut output, out, _) = pages(Format::Default, false);
    output.local_status(&status).unwrap();
    assert_eq!(
        out.text(),
        "\
Local federation   up since 2026-11-21T11:00:00Z
SuperLink          127.0.0.1:9093 (Control), 127.0.0.1:9092 (Fleet), TLS
Root certificates  /home/you/.flwr/local/certificates/ca.crt
SuperNodes         1 of 2 online
Process            7
Log                /home/you/.flwr/local/federation.log
Runs               12, 11 of them finished; 3.0 MiB of logs, 0 bytes of Contexts
Space              database 9.0 MiB (2.0 KiB free), objects 0 bytes, FABs 0 bytes
"
    );
    let (mut output, out, _) = pages(Format::Json, false);
    output.local_status(&status).unwrap();
    let json: Value = serde_json::from_str(&out.text()).unwrap();
    assert_eq!(json["status"], "up");
    assert_eq!(json["supernodes-online"], 1);
    assert_eq!(json["space"]["log-bytes"], 3 << 20);
    let (mut output, out, _) = pages(Format::Json, false);
    output.local_status(&LocalStatus::Down).unwrap();
    assert_eq!(
        out.text(),
        "{\n  \"success\": true,\n  \"status\": \"down\"\n}\n"
    );
}

#[test]
fn daemons_are_told_apart_by_names_and_colours() {
    let (mut output, out, _) = pages(Format::Default, true);
    output.member("superlink", "starting").unwrap();
    output.colours = true;
    output.member("supernode-2", "starting").unwrap();
    assert_eq!(
        out.text(),
        "superlink   | starting\n\u{1b}[34msupernode-2 |\u{1b}[0m starting\n"
    );
}
