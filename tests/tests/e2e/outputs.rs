//! What apps print, and what is made of it.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use e2e::scratch::Scratch;
use e2e::{App, Federation, Maker, Security};

const OURS: Maker = Maker::Ours;

/// Changes a file of an app. The change must be one.
#[track_caller]
fn edit(app: &App, file: &str, from: &str, to: &str) {
    let path = app.path.join("trouble").join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

const IMPORTS: &str = "import os\n";
const END: &str = "    print(\"finished\", flush=True)\n";

#[test]
fn a_server_app_that_lacks_a_package_names_it_at_the_end() {
    let federation = Federation::plan(Security::Insecure).nodes(0).start();
    let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
    edit(
        &app,
        "server.py",
        IMPORTS,
        "import os\nimport torch_of_tests.nn\n",
    );
    let outcome = flwr.run(&app, "").failure(1);
    let last = outcome
        .text
        .lines()
        .rfind(|line| line.contains("[SuperLink]"))
        .unwrap();
    assert!(last.contains("No module named 'torch_of_tests'"), "{last}");
    assert!(last.contains("`pip install -e .`"), "{last}");
    let above = outcome.text.rfind("object reference string").unwrap();
    assert!(outcome.text.find(last).unwrap() > above, "{}", outcome.text);
    federation.stop();
}

#[test]
fn a_client_app_that_lacks_a_package_names_it_in_its_reply() {
    for flags in [
        ["--clientapp-start", "ahead"],
        ["--clientapp-start", "fresh"],
    ] {
        let plan = Federation::plan(Security::Insecure).nodes(1);
        let federation = plan.supernode_flags(&flags).start();
        let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
        edit(
            &app,
            "client.py",
            IMPORTS,
            "import os\nimport torch_of_tests.nn\n",
        );
        let outcome = flwr.run(&app, "").success();
        outcome.must_say(&[
            "reply: error 1: The ClientApp could not be loaded: No module named 'torch_of_tests': ",
            "`pip install -e .`",
        ]);
        federation.stop();
    }
}

/// What a ServerApp prints comes to its run's log whatever it is, and what follows does, too.
#[track_caller]
fn is_logged(print: &str, clients_too: bool, logged: &[&str]) {
    let federation = Federation::plan(Security::Insecure).nodes(1).start();
    let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
    let code = print.lines().map(|line| format!("    {line}\n"));
    let code: String = code.collect();
    edit(&app, "server.py", END, &format!("{code}{END}"));
    if clients_too {
        let start = "    what =";
        edit(&app, "client.py", start, &format!("{code}{start}"));
    }
    let run = flwr.start(&app, "");
    flwr.wait_for_status(&app, run, "finished:completed");
    let log = flwr.log(&app, run).success();
    log.must_say(logged);
    log.must_say(&["reply: 42", "finished"]);
    federation.stop();
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    let print = "import sys\nsys.stdout.buffer.write(b'caf\\xe9 \\xff\\xfe\\n')\n\
                 os.write(2, b'\\x80\\x00\\xc3(\\n')\nprint('after them', flush=True)";
    is_logged(print, true, &["after them"]);
}

#[test]
fn lone_surrogates_become_replacement_characters() {
    let print = "import sys\nprint('half \\ud83d of it', flush=True)\n\
                 print('and \\udcff', file=sys.stderr, flush=True)";
    is_logged(print, false, &["half \u{fffd} of it", "and \u{fffd}"]);
}

#[test]
fn a_line_of_megabytes_is_logged_whole() {
    let print = "print('<' + 'x' * 1_000_000 + '>', flush=True)\n\
                 print('[' + 'é' * 500_000 + ']', flush=True)";
    let lines = [
        format!("<{}>", "x".repeat(1_000_000)),
        format!("[{}]", "é".repeat(500_000)),
    ];
    is_logged(print, true, &[&lines[0], &lines[1]]);
}

/// A log keeps 8 MiB. pip's `flwr log --show` reads one answer.
#[test]
fn of_a_burst_of_20_mb_everybody_reads_the_end() {
    let federation = Federation::plan(Security::Insecure).nodes(1).start();
    let app = federation.app("trouble");
    let print = "    print(''.join(f'line {n:07}\\n' for n in range(1_500_000)), flush=True)\n";
    edit(&app, "server.py", END, &format!("{print}{END}"));
    let run = federation.flwr(OURS).start(&app, "");
    let flwr = federation.flwr(OURS);
    flwr.wait_for_status(&app, run, "finished:completed");
    let run = run.to_string();
    for maker in [OURS, Maker::Pip(e2e::Release::V1_22)] {
        for how in ["--show", "--stream"] {
            let flwr = federation.flwr(maker);
            let log = flwr.call(&app.path, &["log", &run, ".", "e2e", how]);
            let log = log.success();
            log.must_say(&["dropped", "line 1400000\n", "line 1499999\n", "finished"]);
            assert!(log.text.len() > 7 << 20, "{} bytes", log.text.len());
        }
    }
    federation.stop();
}

/// The program asks for something that is not there: a license server, a mount, a proxy.
#[test]
fn a_server_app_that_does_not_call_is_told_of_with_what_it_printed() {
    let scratch = Scratch::new();
    let program = scratch.path().join("flwr-serverapp");
    let text = "#!/bin/sh\ncase $* in *--help) exit;; esac\necho waiting for the license >&2\nexec sleep 600\n";
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let rest = OURS.path();
    let folders = [scratch.path().to_owned()].into_iter();
    let path = env::join_paths(folders.chain(env::split_paths(&rest))).unwrap();
    let plan = Federation::plan(Security::Insecure).nodes(0);
    let mut federation = plan.variable("PATH", path).start();
    let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
    let run = flwr.start(&app, "").to_string();
    let log = flwr.spawn(&app.path, &["log", &run, ".", "e2e", "--stream"]);
    log.line("[SuperLink] The ServerApp has not called the SuperLink for 20 s");
    log.line("waiting for the license");
    let _ = flwr.call(&app.path, &["stop", &run, ".", "e2e"]).success();
    drop(log);
    let superlink = federation.superlink();
    superlink.line("The ServerApp has not called the SuperLink for 20 s");
    federation.stop();
}
