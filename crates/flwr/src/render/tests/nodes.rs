//! The lists of SuperNodes and federations.

use flwr_core::port::control::{
    AccountInfo, Federation, Member, NodeInfo, NodeStatus, Nodes, WholeFederation,
};

use flwr_security::key::PrivateKey;

use super::*;

fn nodes() -> Nodes {
    let at = Timestamp::from_iso8601("2026-11-20T09:30:00+00:00");
    let node = |id, status| NodeInfo {
        id: flwr_core::id::NodeId(id),
        owner: AccountInfo {
            id: "alice-1".to_owned(),
            name: "alice".to_owned(),
        },
        status,
        registered_at: at,
        activated_at: at,
        deactivated_at: None,
        unregistered_at: None,
        online_until: None,
        key: [0, 0, 0].as_slice().into(),
        name: Some("north".to_owned()),
        location: None,
        certificate: None,
    };
    Nodes {
        nodes: vec![
            node(9, NodeStatus::Online),
            node(4, NodeStatus::Unregistered),
        ],
        now: at.map(|at| at + 1.5),
    }
}

#[test]
fn unregistered_nodes_are_in_the_table_for_those_who_ask_for_details() {
    let rows = NodeRow::all(&nodes());
    for (verbose, lines) in [(false, 2), (true, 3)] {
        let table = super::super::nodes::table(&rows, verbose).columns();
        assert!(table.contains("9        north  alice  online  "), "{table}");
        assert!(
            table.contains("  2026-11-20 09:30:00Z  N/A         N/A\n"),
            "{table}"
        );
        assert_eq!(table.lines().count(), lines);
    }
    let json = super::super::nodes::json(&rows);
    assert_eq!(json["nodes"][0]["online-elapsed"], 1.5);
    assert_eq!(json["nodes"][0]["created-at"], "2026-11-20 09:30:00Z");
    assert_eq!(json["nodes"][0]["deleted-at"], "N/A");
    assert_eq!(json["nodes"][1]["status"], "unregistered");
}

#[test]
fn a_federation_is_shown_with_its_people_nodes_and_runs() {
    let whole = WholeFederation {
        federation: Federation {
            id: "@none/default".to_owned(),
            description: "for tests".to_owned(),
            ..Federation::default()
        },
        members: vec![Member {
            account: AccountInfo {
                id: "alice-1".to_owned(),
                name: "alice".to_owned(),
            },
            role: "owner".to_owned(),
        }],
        nodes: nodes().nodes,
        runs: Runs {
            runs: vec![run(3, ["2026-11-20T09:30:00+00:00", "", ""], "pending")],
            ..Runs::default()
        },
    };
    let (mut output, out, _) = pages(Format::Default, false);
    output.whole_federation(&whole).unwrap();
    for line in [
        "@none/default  for tests    deployment  active",
        "alice         owner",
        "3       pub/digits (v1.0.0)",
    ] {
        assert!(out.text().contains(line), "{line}: {}", out.text());
    }
    let (mut output, out, _) = pages(Format::Json, false);
    output.whole_federation(&whole).unwrap();
    let json: Value = serde_json::from_str(&out.text()).unwrap();
    let federation = &json["federation"];
    assert_eq!(federation["members"][0]["member_id"], "alice");
    assert_eq!(federation["nodes"][0]["node_id"], "9");
    assert_eq!(federation["runs"][0]["app"], "@pub/digits==1.0.0");
    let (mut output, out, _) = pages(Format::Json, false);
    output.superlink_federations(&[whole.federation]).unwrap();
    let json: Value = serde_json::from_str(&out.text()).unwrap();
    assert_eq!(json["federations"][0]["id"], "@none/default");
}

#[test]
fn nodes_are_named_by_the_hash_of_their_key() {
    let (mut output, out, _) = pages(Format::Json, false);
    output.nodes(&NodeRow::all(&nodes())).unwrap();
    let json: Value = serde_json::from_str(&out.text()).unwrap();
    assert_eq!(json["nodes"][0]["status"], "online");
    // Printed by sha256sum for the PEM text of this key.
    let hash = "f61b347fbb8e6469f294c1faa146d37688e5c1c8a6b1b25653ee85ad10b7447a";
    assert_eq!(json["nodes"][0]["public-key-sha256"], hash);
}

#[test]
fn a_key_is_shown_as_logs_show_the_key() {
    // `ssh-keygen -l` prints the same for the OpenSSH line of this key.
    let key = PrivateKey::generate().unwrap();
    let fingerprint = key.public_key().fingerprint();
    let mut nodes = nodes();
    nodes.nodes[0].key = key.public_key().to_spki().into();
    let (mut output, out, _) = pages(Format::Default, false);
    output.nodes(&NodeRow::all(&nodes)).unwrap();
    assert!(out.text().contains(&fingerprint), "{}", out.text());
    let (mut output, out, _) = pages(Format::Json, false);
    output.nodes(&NodeRow::all(&nodes)).unwrap();
    let json: Value = serde_json::from_str(&out.text()).unwrap();
    assert_eq!(json["nodes"][0]["public-key-fingerprint"], fingerprint);
    assert!(fingerprint.starts_with("SHA256:"), "{fingerprint}");
}
