//! The files of `examples/monitoring`: Prometheus works with them, each alert fires, and all ask for numbers
//! that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::pki::{self, Flaw};
use e2e::{Federation, Process, Scratch, Security, ports, tools, until_there};

use super::{OURS, TOKEN, documented, get};

fn example(name: &str) -> PathBuf {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/monitoring");
    examples.join(name)
}

#[test]
fn prometheus_reads_both_daemons_with_token_and_tls_as_the_example_has_it() {
    let files = Scratch::new();
    let here = files.path();
    let token = here.join("metrics-token");
    fs::write(&token, TOKEN).unwrap();
    let pki = pki::make(&here.join("pki"), Flaw::None);
    let [link, node, own] = [(); 3].map(|()| format!("127.0.0.1:{}", ports::free()));
    let flags = |address: &str| {
        [
            format!("--metrics-address={address}"),
            format!("--metrics-token-file={}", token.display()),
            format!("--metrics-ssl-ca-certfile={}", pki.ca.display()),
            format!("--metrics-ssl-certfile={}", pki.certificate.display()),
            format!("--metrics-ssl-keyfile={}", pki.key.display()),
        ]
    };
    let (of_link, of_node) = (flags(&link), flags(&node));
    let federation = Federation::plan(Security::Insecure)
        .nodes(1)
        .superlink_flags(&of_link.each_ref().map(String::as_str))
        .supernode_flags(&of_node.each_ref().map(String::as_str))
        .start();
    // The example, with the lines about TLS, for these daemons, and faster.
    let config = fs::read_to_string(example("prometheus.yml")).unwrap();
    let config = config
        .replace("    # scheme", "    scheme")
        .replace("    # tls_config", "    tls_config")
        .replace(
            "    #   ca_file: ca.crt",
            &format!("      ca_file: {}", pki.ca.display()),
        )
        .replace("superlink.example:9099", &link)
        .replace("          - node-2.example:9099\n", "")
        .replace("node-1.example:9099", &node)
        .replace("15s", "1s");
    assert!(
        config.contains("ca_file: /") && !config.contains("example:"),
        "{config}"
    );
    fs::write(here.join("prometheus.yml"), config).unwrap();
    for name in ["alerts.yml", "alerts.test.yml"] {
        fs::copy(example(name), here.join(name)).unwrap();
    }
    let mut command = Command::new("prometheus");
    command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    command
        .arg(format!("--web.listen-address={own}"))
        .current_dir(here);
    let mut prometheus = Process::start("prometheus", &mut command, here);
    let app = federation.app("mean");
    let outcome = federation.flwr(OURS).run(&app, "rounds=1 nodes=1");
    outcome.success().must_say(&["finished"]);
    for (query, expected) in [
        ("sum(up)", "\"2\""),
        ("flwr_runs{phase=%22completed%22}", "\"1\""),
        (
            "flwr_message_seconds_count{step=%22run%22,daemon=%22supernode%22}",
            "\"1\"",
        ),
    ] {
        until_there(query, || {
            let answer = get(&own, &format!("/api/v1/query?query={query}"), None)?;
            answer.body.contains(expected).then_some(())
        });
    }
    prometheus.kill();
    // Without the token nobody reads anything; without TLS neither.
    let plaintext = get(&link, "/metrics", Some(TOKEN)).unwrap();
    assert!(!plaintext.body.contains("flwr_nodes"), "{}", plaintext.body);
    federation.stop();
}

#[test]
fn the_rules_of_the_example_hold_and_each_alert_fires() {
    let files = Scratch::new();
    for name in ["alerts.yml", "alerts.test.yml"] {
        fs::copy(example(name), files.path().join(name)).unwrap();
    }
    let checked = tools::run(files.path(), "promtool check rules alerts.yml");
    assert!(checked.contains("8 rules found"), "{checked}");
    tools::run(files.path(), "promtool test rules alerts.test.yml");
    let rules = fs::read_to_string(example("alerts.yml")).unwrap();
    let tests = fs::read_to_string(example("alerts.test.yml")).unwrap();
    for line in rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
    {
        let fires = tests.split("alertname: ").filter(|test| {
            test.starts_with(line) && test.contains("exp_alerts") && test.contains("exp_labels")
        });
        assert!(fires.count() > 0, "{line} is not tested");
    }
}

#[test]
fn rules_and_dashboard_ask_for_documented_numbers() {
    let known: BTreeSet<String> = documented().into_iter().flatten().collect();
    for name in ["alerts.yml", "dashboard.json"] {
        let text = fs::read_to_string(example(name)).unwrap();
        if name == "dashboard.json" {
            let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(dashboard["panels"].as_array().unwrap().len(), 26);
        }
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let asked = words.filter(|word| word.starts_with("flwr_") || word.starts_with("process_"));
        for word in asked {
            let parts = ["_bucket", "_sum", "_count"];
            let family = parts.iter().find_map(|part| word.strip_suffix(part));
            let is_known = known.contains(word) || family.is_some_and(|name| known.contains(name));
            assert!(is_known, "{name}: {word}");
        }
    }
}
