//! The offer of a local federation, where all that an app lacks is a federation.

use std::fs;

use e2e::at_terminal;

use super::User;

#[test]
fn who_runs_an_app_for_a_simulation_is_offered_the_local_federation() {
    let user = User::new();
    let here = user.scratch.path();
    user.does(here, "flwr new my-app minimal");
    let app = here.join("my-app");
    let pyproject = app.join("pyproject.toml");
    let simulation = "[tool.flwr.federations]\ndefault = \"local-simulation\"\n\n[tool.flwr.federations.local-simulation]\n\
                      options.num-supernodes = 10\n";
    let text = fs::read_to_string(&pyproject).unwrap() + simulation;
    fs::write(&pyproject, text).unwrap();
    let run = "flwr run . --run-config num-server-rounds=1";
    let question = "Federation `local-simulation` is a simulation";

    // Scripts are not asked.
    let outcome = user.types_in(&app, run);
    assert_eq!(outcome.code, Some(2), "{}", outcome.text);
    assert!(!outcome.text.contains(question), "{}", outcome.text);
    assert!(outcome.text.contains("hint: "), "{}", outcome.text);

    let asked = |answer: &str| at_terminal(&user.command(&app, run), answer);
    let refused = asked("n\n");
    assert_eq!(refused.code, Some(2), "{}", refused.text);
    refused.must_say(&[question, "Start a local federation", "[Y/n]", "hint: "]);
    assert_eq!(user.types("flwr status").code, Some(1));

    let agreed = asked("y\n");
    assert_eq!(agreed.code, Some(0), "{}", agreed.text);
    agreed.must_say(&["The local federation is up", "Successfully started run"]);
    let again = asked("\n");
    assert_eq!(again.code, Some(0), "{}", again.text);
    again.must_say(&["Run the app on the local federation"]);
    user.does(here, "flwr down");

    // The same for the connections that pip's `flwr` of today writes at its first use.
    fs::write(
        user.home().join("config.toml"),
        "[superlink]\ndefault = \"local\"\n\n[superlink.supergrid]\naddress = \"api.flower.ai\"\n\n\
         [superlink.local]\naddress = \":local:\"\n",
    )
    .unwrap();
    for (federation, question) in [
        ("supergrid", "Federation `supergrid` is Flower's SuperGrid"),
        ("local", "The local federation is not up"),
    ] {
        let run = format!("flwr run . {federation} --run-config num-server-rounds=1");
        let refused = at_terminal(&user.command(&app, &run), "n\n");
        assert_ne!(refused.code, Some(0), "{}", refused.text);
        refused.must_say(&[question, "Start a local federation", "hint: "]);
    }
    fs::remove_file(user.home().join("config.toml")).unwrap();

    // The same where no federation is named at all.
    user.does(here, "flwr new other-app minimal");
    let other = here.join("other-app");
    let asked = at_terminal(&user.command(&other, run), "no\n");
    asked.must_say(&["No federation is named", "Start a local federation"]);
    assert_eq!(asked.code, Some(2), "{}", asked.text);
}
