//! The list of join tokens.

use flwr_core::id::NodeId;
use flwr_core::port::joining::JoinTokenInfo;
use serde_json::Value;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_795_000_000.0);

fn token() -> JoinTokenInfo {
    JoinTokenInfo {
        id: "5a0c1b9e2f3d4c77".to_owned(),
        owner: "alice-1".to_owned(),
        name: Some("ward-7".to_owned()),
        address: "superlink.example:9092".to_owned(),
        issued_at: NOW + -60.0,
        expires_at: NOW + 60.0,
        uses: 2,
        uses_left: 1,
        revoked_at: None,
        nodes: vec![NodeId(9_296_828_773_063_911_005)],
    }
}

#[test]
fn a_token_is_listed_with_its_status_and_its_nodes() {
    let (mut output, out, _) = pages(Format::Default, false);
    output.join_tokens(&[TokenRow::new(&token(), NOW)]).unwrap();
    let text = out.text();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("Token ID"));
    let row: Vec<_> = lines
        .next()
        .unwrap()
        .split("  ")
        .filter(|cell| !cell.is_empty())
        .collect();
    let cells = row.iter().map(|cell| cell.trim()).collect::<Vec<_>>();
    assert_eq!(cells[..4], ["5a0c1b9e2f3d4c77", "ward-7", "open", "1 of 2"]);
    assert_eq!(
        cells[5..],
        ["superlink.example:9092", "9296828773063911005"]
    );
}

#[test]
fn a_token_that_is_over_says_why() {
    let over = [
        (
            JoinTokenInfo {
                revoked_at: Some(NOW),
                ..token()
            },
            "revoked",
        ),
        (
            JoinTokenInfo {
                uses_left: 0,
                ..token()
            },
            "used up",
        ),
        (
            JoinTokenInfo {
                expires_at: NOW,
                ..token()
            },
            "expired",
        ),
    ];
    let rows: Vec<_> = over
        .iter()
        .map(|(token, _)| TokenRow::new(token, NOW))
        .collect();
    let (mut output, out, _) = pages(Format::Json, false);
    output.join_tokens(&rows).unwrap();
    let answer: Value = serde_json::from_str(&out.text()).unwrap();
    for (at, (_, status)) in over.iter().enumerate() {
        let shown = &answer["tokens"][at];
        assert_eq!(shown["status"], *status);
        assert_eq!(shown["node-ids"][0], "9296828773063911005");
    }
}
