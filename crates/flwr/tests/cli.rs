//! The `flwr` program itself: what it prints where, and how it leaves.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::{Command, Output};

/// An app whose bundle is known, with a federation on this machine where nobody listens.
const MINI: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../flwr-core/testdata/fab/mini"
);

fn flwr(directory: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flwr"))
        .args(args)
        .current_dir(directory)
        // Not the federations of whoever runs the tests.
        .env("FLWR_HOME", directory.join(".flwr"))
        .env_remove("FLWR_FEDERATION")
        .env_remove("FLWR_SUPERLINK_ADDRESS")
        .env_remove("FLWR_ROOT_CERTIFICATES")
        .output()
        .unwrap()
}

/// Exit status, stdout and stderr of a command in an empty directory.
fn ended(args: &[&str]) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let output = flwr(directory.path(), args);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A port of this machine at which nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("address=\"{}\"", listener.local_addr().unwrap())
}

#[test]
fn build_writes_the_bundle_that_flower_writes() {
    let directory = tempfile::tempdir().unwrap();
    let output = flwr(directory.path(), &["build", "--app", MINI]);
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "🎊 Successfully built pub.mini.1-0-0.8dce5c8e.fab\n"
    );
    let bytes = std::fs::read(directory.path().join("pub.mini.1-0-0.8dce5c8e.fab")).unwrap();
    assert_eq!(
        bytes,
        std::fs::read(Path::new(MINI).with_extension("zip")).unwrap()
    );
}

#[test]
fn the_version_and_help_are_data() {
    let (code, out, err) = ended(&["--version"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(
        out.starts_with(concat!("Flower version: ", env!("CARGO_PKG_VERSION"))),
        "{out}"
    );
    let (code, out, _) = ended(&["run", "--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("flwr run -c overrides.toml"), "{out}");
}

#[test]
fn wrong_usage_and_configuration_leave_with_2_and_tell_on_stderr() {
    for (args, told) in [
        (&["run", "--nope"][..], "unexpected argument '--nope'"),
        (&["run"], "`pyproject.toml` does not exist"),
        (
            &["run", MINI, "nope"],
            "There is no `nope` federation declared",
        ),
        (
            &["run", MINI, "-c", "lrr=1"],
            "Key 'lrr' is not present in the main dictionary (did you mean 'lr'?)",
        ),
        (
            &["run", MINI, "-c", "lr=x"],
            "values are of type bool, int, string, or float",
        ),
        (
            &[
                "run",
                MINI,
                "--federation-config",
                "root-certificates=\"ca.crt\"",
            ],
            "Remove one of the two",
        ),
        (
            &[
                "ls",
                MINI,
                "--federation-config",
                "insecure=false root-certificates=\"no.crt\"",
            ],
            "no.crt",
        ),
        (
            &["build", "--app", "nowhere"],
            "not a valid path to a Flower app",
        ),
    ] {
        let (code, out, err) = ended(args);
        assert_eq!(code, Some(2), "{args:?}: {err}");
        assert!(err.contains(told), "{args:?}: {err}");
        assert!(!out.contains('❌'), "{args:?}: {out}");
    }
}

#[test]
fn a_superlink_that_is_not_there_leaves_with_1_and_is_named() {
    let address = nobody();
    for command in [&["run"][..], &["ls"], &["stop", "1"], &["log", "1"]] {
        let args = [command, &[MINI, "--federation-config", &address]].concat();
        let (code, _, err) = ended(&args);
        assert_eq!(code, Some(1), "{args:?}: {err}");
        assert!(
            err.contains("Connection to the SuperLink is unavailable"),
            "{args:?}: {err}"
        );
        let port = address.trim_end_matches('"').rsplit(':').next().unwrap();
        assert!(err.contains(port), "{args:?}: {err}");
    }
}

#[test]
fn an_error_in_json_is_on_stdout_alone() {
    let (code, out, err) = ended(&["run", MINI, "nope", "--format", "json"]);
    assert_eq!((code, err.as_str()), (Some(2), ""));
    assert!(
        out.starts_with(
            "{\n  \"success\": false,\n  \"error-message\": \"There is no `nope` federation"
        ),
        "{out}"
    );
}

#[test]
fn words_of_a_flag_that_do_nothing_are_warned_of() {
    let (_, _, err) = ended(&[
        "run",
        MINI,
        "-c",
        "lr = 0.2",
        "--federation-config",
        &nobody(),
    ]);
    assert!(
        err.contains("warning: `lr` in --run-config is ignored"),
        "{err}"
    );
}

#[test]
fn bash_takes_the_completions_and_completes_with_them() {
    let (code, script, err) = ended(&["completions", "bash"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let asked =
        "COMP_WORDS=(flwr supernode l); COMP_CWORD=2; _flwr flwr l supernode; echo ${COMPREPLY[@]}";
    let bash = Command::new("bash")
        .args(["-c", &format!("{script}\n{asked}")])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&bash.stdout);
    assert_eq!(told, "list ls\n", "{bash:?}");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let (code, script, _) = ended(&["completions", shell]);
        assert_eq!(code, Some(0));
        assert!(script.contains("federation-config"), "{shell}");
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let (code, page, err) = ended(&["man"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(page.contains(".TH flwr 1"), "{page}");
    let directory = tempfile::tempdir().unwrap();
    let output = flwr(directory.path(), &["man", "--out", "made/man1"]);
    assert!(output.status.success());
    for name in ["flwr", "flwr-run", "flwr-supernode-list", "flwr-cert-sign"] {
        let file = directory.path().join(format!("made/man1/{name}.1"));
        let page = std::fs::read_to_string(file).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
    }
    std::fs::write(directory.path().join("file"), "").unwrap();
    let output = flwr(directory.path(), &["man", "--out", "file"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("file"));
}

#[test]
fn the_doctor_names_the_step_that_fails_and_leaves_with_1() {
    let address = nobody();
    let (code, out, err) = ended(&["doctor", "--app", MINI, "--federation-config", &address]);
    assert_eq!((code, err.as_str()), (Some(1), ""), "{out}");
    assert!(out.contains("✓ federation"), "{out}");
    assert!(out.contains("✗ tcp"), "{out}");
    assert!(out.contains("- service"), "{out}");
    let (code, out, _) = ended(&["doctor", "nope", "--format", "json"]);
    assert_eq!(code, Some(1));
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["success"], false);
    assert_eq!(answer["findings"][0]["outcome"], "failed", "{out}");
}

#[test]
fn federations_of_ones_own_are_kept_used_and_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = flwr(directory.path(), args);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    };
    let address = nobody();
    let address = address.trim_start_matches("address=").trim_matches('"');
    let add = [
        "federation",
        "add",
        "lab",
        "--address",
        address,
        "--insecure",
    ];
    assert_eq!(run(&add).0, Some(0));
    let (code, told) = run(&add);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("hint: use --force"), "{told}");
    assert_eq!(run(&["federation", "default", "lab"]).0, Some(0));
    assert_eq!(run(&["federation", "default"]), (Some(0), "lab\n".into()));
    let (_, listed) = run(&["federation", "list"]);
    assert!(
        listed.contains("lab") && listed.contains("plaintext"),
        "{listed}"
    );
    // It is used where no app is, and -v tells so.
    let (code, told) = run(&["-v", "ls"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("federation `lab`") && told.contains(address),
        "{told}"
    );
    assert!(told.contains("it is the default of"), "{told}");
    let (code, told) = run(&["federation", "remove", "labb"]);
    assert_eq!(code, Some(2));
    assert!(told.contains("did you mean `lab`?"), "{told}");
    assert_eq!(run(&["federation", "remove", "lab"]).0, Some(0));
    assert_eq!(run(&["federation", "default"]).0, Some(1));
    let (code, told) = run(&["ls"]);
    assert_eq!(code, Some(2), "{told}");
}

#[test]
fn a_bundle_is_installed_once_and_only_under_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let built = flwr(
        directory.path(),
        &["build", "--app", MINI, "--format", "json"],
    );
    let built: serde_json::Value = serde_json::from_slice(&built.stdout).unwrap();
    let name = built["fab-filename"].as_str().unwrap();
    let first = flwr(directory.path(), &["install", name]);
    assert!(first.status.success(), "{first:?}");
    let again = flwr(directory.path(), &["install", name]);
    assert!(
        String::from_utf8_lossy(&again.stdout).contains("already"),
        "{again:?}"
    );
    let apps = directory.path().join(".flwr/apps");
    let installed: Vec<_> = std::fs::read_dir(&apps).unwrap().collect();
    assert_eq!(installed.len(), 1, "{installed:?}");
    assert!(apps.join("pub.mini.1.0.0.8dce5c8e/pyproject.toml").exists());
    let file = directory.path().join(name);
    std::fs::copy(&file, directory.path().join("other.fab")).unwrap();
    let renamed = flwr(directory.path(), &["install", "other.fab"]);
    assert_eq!(renamed.status.code(), Some(2), "{renamed:?}");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let half = flwr(directory.path(), &["install", name]);
    assert_eq!(half.status.code(), Some(1), "{half:?}");
}
