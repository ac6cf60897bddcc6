//! The help texts are kept in `testdata/help`: a change of a flag shows there. After a wanted
//! change write them anew with `FLWR_UPDATE_HELP=1 cargo test -p flwr help`.

use std::path::Path;

use clap::CommandFactory;

use super::*;

fn parse(args: &[&str]) -> Result<Command, clap::Error> {
    let parsed = Cli::try_parse_from(["flwr"].iter().chain(args));
    parsed.and_then(Cli::checked).map(|cli| cli.command)
}

#[test]
fn help_is_as_recorded() {
    let mut root = Cli::command().term_width(100);
    root.build();
    for path in [
        &[][..],
        &["new"],
        &["up"],
        &["down"],
        &["status"],
        &["doctor"],
        &["login"],
        &["logout"],
        &["federation"],
        &["federation", "list"],
        &["federation", "add"],
        &["federation", "remove"],
        &["federation", "default"],
        &["federation", "show"],
        &["run"],
        &["run", "delete"],
        &["build"],
        &["install"],
        &["log"],
        &["list"],
        &["stop"],
        &["pull"],
        &["supernode"],
        &["supernode", "register"],
        &["supernode", "unregister"],
        &["supernode", "list"],
        &["supernode", "join-token"],
        &["supernode", "join-token", "new"],
        &["supernode", "join-token", "list"],
        &["supernode", "join-token", "revoke"],
        &["cert"],
        &["cert", "new"],
        &["cert", "ca"],
        &["cert", "server"],
        &["cert", "request"],
        &["cert", "sign"],
        &["cert", "inspect"],
        &["key", "new"],
        &["completions"],
        &["man"],
    ] {
        let found = path
            .iter()
            .try_fold(&mut root, |command, name| command.find_subcommand_mut(name));
        let help = found.unwrap().render_long_help().to_string();
        let name = if path.is_empty() {
            "flwr".into()
        } else {
            path.join("-")
        };
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/help/{name}.txt"));
        if std::env::var_os("FLWR_UPDATE_HELP").is_some() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &help).unwrap();
        }
        assert_eq!(
            help,
            std::fs::read_to_string(&file).unwrap(),
            "{}",
            file.display()
        );
    }
}

#[test]
fn a_run_is_deleted_and_an_app_may_be_called_so() {
    let deleted = |args: &[&str]| match parse(args).unwrap() {
        Command::Run(RunArgs {
            command: Some(RunCommand::Delete(args)),
            ..
        }) => Some((args.run_id, args.target.federation)),
        _ => None,
    };
    assert_eq!(deleted(&["run", "delete", "17"]), Some((17, None)));
    let named = ["run", "delete", "17", ".", "lab", "--format", "json"];
    assert_eq!(deleted(&named), Some((17, Some("lab".to_owned()))));
    assert_eq!(parse(&named).unwrap().format(), Format::Json);
    for app in [
        &["run", "./delete"][..],
        &["run", ".", "delete"],
        &["run", "help"],
        &["run", "--stream", "delete"],
    ] {
        assert_eq!(deleted(app), None, "{app:?}");
    }
    assert!(parse(&["run", "delete"]).is_err());
}

#[test]
fn the_arguments_of_flower_are_taken() {
    for args in [
        "run",
        "run .",
        "run . my-federation --stream",
        "run app fed --run-config a=1 -c b=2 --federation-config c=3 --format json",
        "run . --format JSON",
        "build",
        "build --app x",
        "log 7",
        "log 7 . fed --stream",
        "log latest . fed",
        "stop latest --yes",
        "stop -y latest . fed",
        "new my-app numpy --publisher me",
        "log 7 --show",
        "log 7 --show --stream",
        "ls",
        "list",
        "ls . fed --runs",
        "ls --run-id 18446744073709551615 --format json",
        "stop 7 . fed --format default",
        "pull --run-id 7",
        "pull . fed --run-id 7",
        "pull 7",
        "pull 7 fed",
        "supernode register k.pub fed",
        "supernode register k.pub . fed",
        "supernode unregister 7 . fed",
        "doctor . fed",
        "install x.fab --flwr-dir d",
        "new my-app --framework numpy --username me",
        "new my-app pytorch",
        "run . --dry-run",
        "run . --wait",
        "log 7 --tail 5 --since 10m",
        "log 7 --since 2026-11-21T09:30:00Z",
        "ls -w",
        "-v ls",
        "ls . fed --verbose",
        "cert new --force",
        "key new --count 2",
        "supernode join-token new",
        "supernode join-token new fed --address a:1 --name n --uses 1 --ttl 2h",
        "supernode join-token ls --format json",
        "supernode join-token revoke 00ff fed",
    ] {
        assert!(
            parse(&args.split(' ').collect::<Vec<_>>()).is_ok(),
            "{args}"
        );
    }
}

#[test]
fn wrong_usage_leaves_with_2() {
    for args in [
        "",
        "nope",
        "log",
        "log x",
        "log -1",
        "ls --runs --run-id 1",
        "run . f extra",
        "run --format xml",
        "key new --count 0",
        "supernode join-token new --uses 2 --name n",
        "supernode join-token new --uses 0",
        "supernode join-token new --ttl 31d",
        "supernode join-token new --address nowhere",
        "supernode join-token revoke",
        "stop",
        "run --dry-run --wait",
        "log 7 --since yesterday",
        "up --supernodes 0",
        "federation add x",
        "federation add x --address a:1 --insecure --root-certificates f",
        "new x --framework tensorflow",
        "new x numpy --framework numpy",
    ] {
        let args: Vec<_> = args.split(' ').filter(|arg| !arg.is_empty()).collect();
        assert_eq!(parse(&args).unwrap_err().exit_code(), 2, "{args:?}");
    }
}

#[test]
fn the_version_is_told_in_flowers_words() {
    let error = parse(&["--version"]).unwrap_err();
    assert_eq!(error.exit_code(), 0);
    assert_eq!(error.to_string(), format!("Flower version: {VERSION}\n"));
    assert_eq!(parse(&["-V"]).unwrap_err().to_string(), error.to_string());
}

#[test]
fn the_app_is_here_unless_named() {
    let Ok(Command::Run(args)) = parse(&["run"]) else {
        panic!("not a run")
    };
    assert_eq!(args.target.app, Path::new("."));
    assert_eq!(args.target.federation, None);
    assert!(!args.stream);
}

#[test]
fn what_is_not_offered_is_read_with_whatever_follows() {
    for words in [
        "flwr federation create lab --description x --format json",
        "flwr federation invite list --format=json",
        "flwr federation add-supernode 7 @a/b local --format JSON",
    ] {
        let cli = Cli::try_parse_from(words.split(' ')).unwrap();
        assert_eq!(cli.command.format(), Format::Json, "{words}");
    }
}

#[test]
fn the_run_of_a_pull_may_be_named_as_each_release_has_it() {
    let of = |line: &str| {
        let args: Vec<_> = line.split(' ').collect();
        let Ok(Command::Pull(args)) = parse(&args) else {
            panic!("{line}")
        };
        let (run, target) = args.run()?;
        Some((run, target.app, target.federation))
    };
    let fed = Some("fed".to_owned());
    assert_eq!(of("pull 7 fed"), Some((7, ".".into(), fed.clone())));
    assert_eq!(of("pull 7"), Some((7, ".".into(), None)));
    assert_eq!(of("pull app fed --run-id 7"), Some((7, "app".into(), fed)));
    assert_eq!(of("pull fed"), None);
    assert_eq!(of("pull"), None);
}

#[test]
fn a_superlink_is_named_alone_or_after_an_app() {
    let of = |line: &str| {
        let args: Vec<_> = line.split(' ').collect();
        let Ok(Command::Doctor(args)) = parse(&args) else {
            panic!("{line}")
        };
        let target = args.at.target();
        (target.app, target.federation)
    };
    let fed = Some("fed".to_owned());
    assert_eq!(of("doctor fed"), (".".into(), fed.clone()));
    assert_eq!(of("doctor app fed"), ("app".into(), fed.clone()));
    assert_eq!(of("doctor fed --app app"), ("app".into(), fed));
    assert_eq!(of("doctor ."), (".".into(), None));
    assert_eq!(of("doctor"), (".".into(), None));
    assert!(parse(&["doctor", "app", "fed", "--app", "app"]).is_err());
}
