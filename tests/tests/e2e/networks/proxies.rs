//! A site whose only way out is an HTTP proxy.

use std::fs;
use std::process::Command;

use e2e::connect_proxy::{ConnectProxy, Mood};
use e2e::oidc::Provider;
use e2e::pki::Flaw;
use e2e::{App, Federation, Maker, Outcome, Release, Scratch, Security};

use super::{NAME, far_away, node_command, outcome, start, without_proxies};

const OURS: Maker = Maker::Ours;
const PIP: Maker = Maker::Pip(Release::V1_22);
/// What a proxy wants to see of `user:s3cret/`.
const LOGIN: &str = "Basic dXNlcjpzM2NyZXQv";
/// The same in a URL.
const USER: &str = "user:s3cret%2F@";
/// What nobody may write down.
const SECRETS: [&str; 2] = ["s3cret", "dXNlcjpzM2NyZXQv"];

/// `flwr` of somebody who knows the SuperLink by its name.
fn flwr(federation: &Federation, maker: Maker, app: &App, arguments: &[&str]) -> Command {
    let mut command = maker.command("flwr");
    without_proxies(&mut command);
    let address = format!("address=\"{NAME}:{}\"", federation.control().port());
    command.current_dir(&app.path).env("COLUMNS", "200");
    command.env("FLWR_HOME", federation.scratch().folder("home-flwr"));
    command
        .args(arguments)
        .args(["--federation-config", &address]);
    command
}

/// A run from the first call to the last, of which each goes through a proxy with a login.
#[track_caller]
fn a_run_goes_through(maker: Maker, variable: &str) {
    let federation = far_away();
    let proxy = ConnectProxy::start(Mood::Login(LOGIN));
    let url = proxy.url(USER);
    let (fleet, control) = (federation.fleet().port(), federation.control().port());
    let superlink = format!("{NAME}:{fleet}");
    let mut command = node_command(&federation, maker, &superlink);
    command
        .env(variable, &url)
        .env("no_proxy", "127.0.0.1,localhost");
    let node = start(&federation, &mut command);
    let app = federation.app("mean");
    let run = [
        "run",
        ".",
        "e2e",
        "--stream",
        "--run-config",
        "rounds=1 nodes=1",
    ];
    let mut command = flwr(&federation, maker, &app, &run);
    let told = outcome(command.env(variable, &url)).success();
    told.must_say(&["round 1: mean 1.000 of 1"]);
    proxy.wait_for(&superlink);
    proxy.wait_for(&format!("{NAME}:{control}"));
    if maker == OURS {
        let way = format!("through proxy {} ({variable})", proxy.url(""));
        node.line(&way);
        is_silent(&told);
        let lines = node.lines().join("\n");
        assert!(
            !SECRETS.iter().any(|secret| lines.contains(secret)),
            "{lines}"
        );
    }
}

#[track_caller]
fn is_silent(told: &Outcome) {
    let secret = SECRETS.iter().find(|secret| told.text.contains(*secret));
    assert_eq!(secret, None, "{}", told.text);
}

#[test]
fn a_run_goes_through_the_proxy_that_the_environment_names() {
    a_run_goes_through(OURS, "https_proxy");
}

#[test]
fn a_run_of_pips_peers_goes_the_same_way() {
    a_run_goes_through(PIP, "grpc_proxy");
}

/// What `flower-supernode --check-config` says of a way to the SuperLink.
fn check(federation: &Federation, set: &[(&str, &str)], flags: &[&str]) -> Outcome {
    let superlink = format!("{NAME}:{}", federation.fleet().port());
    let mut command = node_command(federation, OURS, &superlink);
    command.arg("--check").args(flags).envs(set.iter().copied());
    let told = outcome(&mut command);
    is_silent(&told);
    told
}

#[test]
fn flag_variable_and_exceptions_decide_which_way_is_taken() {
    let federation = far_away();
    let proxy = ConnectProxy::start(Mood::Open);
    let url = proxy.url("");
    let unresolved = format!("{NAME}: the name cannot be resolved");
    for (set, flags) in [
        (
            &[("https_proxy", &url[..]), ("no_proxy", ".example.org")][..],
            &[][..],
        ),
        (&[("HTTP_PROXY", &url), ("NO_GRPC_PROXY", NAME)], &[]),
        (&[("https_proxy", &url)], &["--proxy", "none"]),
        (
            &[("https_proxy", &url), ("FLOWER_SUPERNODE_PROXY", "none")],
            &[],
        ),
        (&[("https_proxy", "socks5://127.0.0.1:1")], &[]),
    ] {
        let told = check(&federation, set, flags).failure(1);
        told.must_say(&[&unresolved]);
        assert_eq!(proxy.asked_for(), [] as [String; 0], "{set:?} {flags:?}");
    }
    let file = federation.scratch().file("node.toml", "proxy = \"none\"\n");
    let flags = ["--config", file.to_str().unwrap()];
    let told = check(&federation, &[("https_proxy", &url)], &flags).failure(1);
    told.must_say(&[&unresolved]);
    let told = check(&federation, &[("HTTP_PROXY", &url)], &[]).success();
    told.must_say(&[&format!("through proxy {url} (HTTP_PROXY): connected")]);
    let other = [("https_proxy", "http://127.0.0.1:1")];
    let told = check(&federation, &other, &["--proxy", &url]).success();
    told.must_say(&[&format!("through proxy {url} (--proxy): connected")]);
    let kept = [("FLOWER_SUPERNODE_PROXY", &url[..]), other[0]];
    check(&federation, &kept, &[])
        .success()
        .must_say(&["through proxy"]);
    let told = check(
        &federation,
        &[],
        &["--proxy", "https://user:s3cret@proxy:1"],
    )
    .failure(2);
    told.must_say(&["--proxy: https:// proxies are not supported"]);
}

#[test]
fn a_proxy_that_does_not_lead_there_is_named_as_the_cause() {
    let federation = far_away();
    let server = format!("{NAME}:{}", federation.fleet().port());
    let no_login = "it asks for a login (407)".to_owned();
    let cases = [
        ("", Mood::Login(LOGIN), no_login),
        (
            "user:wrong@",
            Mood::Login(LOGIN),
            "it refuses the user and password".to_owned(),
        ),
        (
            "",
            Mood::Answers("HTTP/1.1 403 Forbidden\r\n\r\n"),
            format!("it does not allow connections to {server} (403 Forbidden)"),
        ),
        (
            "",
            Mood::Answers("HTTP/1.1 502 Bad Gateway\r\n\r\n"),
            format!("it cannot reach {server} (502 Bad Gateway)"),
        ),
        (
            "",
            Mood::Answers("HTTP/1.1 405 Method Not Allowed\r\n\r\n"),
            format!("it does not connect to {server} (405 Method Not Allowed)"),
        ),
        (
            "",
            Mood::Answers("SSH-2.0-OpenSSH\r\n"),
            "it does not answer CONNECT as".to_owned(),
        ),
        (
            "",
            Mood::Answers(""),
            "it closed the connection without an answer".to_owned(),
        ),
    ];
    for (login, mood, problem) in cases {
        let proxy = ConnectProxy::start(mood);
        let told = check(&federation, &[("https_proxy", &proxy.url(login))], &[]).failure(1);
        let cause = format!("proxy {} (https_proxy): {problem}", proxy.url(""));
        told.must_say(&[&cause]);
    }
    let told = check(&federation, &[("https_proxy", "http://127.0.0.1:1")], &[]).failure(1);
    told.must_say(&["proxy http://127.0.0.1:1 (https_proxy): connection refused"]);
}

#[test]
fn a_running_node_and_flwr_tell_the_same_of_the_proxy() {
    let federation = far_away();
    let proxy = ConnectProxy::start(Mood::Login(LOGIN));
    let superlink = format!("{NAME}:{}", federation.fleet().port());
    let mut command = node_command(&federation, OURS, &superlink);
    let node = start(&federation, command.env("https_proxy", proxy.url("")));
    let line = node.line("it asks for a login (407)");
    assert!(line.contains("`--proxy none` goes without"), "{line}");

    let app = federation.app("mean");
    let set = format!("proxy=\"{}\"", proxy.url("user:wrong@"));
    let list = ["ls", ".", "e2e", "--federation-config", &set];
    let told = outcome(&mut flwr(&federation, OURS, &app, &list)).failure(1);
    let origin = "(`proxy` of federation `e2e`): it refuses the user and password";
    told.must_say(&[
        "Connection to the SuperLink is unavailable: proxy http://",
        origin,
    ]);
    let good = proxy.url(USER);
    let list = [&list[..], &["--verbose", "--proxy", &good]].concat();
    let told = outcome(&mut flwr(&federation, OURS, &app, &list)).success();
    is_silent(&told);
    told.must_say(&[&format!("through proxy {} (--proxy)", proxy.url(""))]);
    let doctor = ["doctor", "e2e", "--proxy", &good];
    let told = outcome(&mut flwr(&federation, OURS, &app, &doctor)).success();
    told.must_say(&[&format!(
        "through proxy {} (--proxy): connected",
        proxy.url("")
    )]);
    is_silent(&told);
}

#[test]
fn the_older_commands_go_through_the_proxy() {
    let plan = Federation::plan(Security::Tls)
        .nodes(0)
        .flaw(Flaw::OtherName);
    let federation = plan.superlink_flags(&["--serverappio-tls"]).start();
    let proxy = ConnectProxy::start(Mood::Login(LOGIN));
    let url = proxy.url(USER);
    let folder = federation.scratch().folder("app");
    let app = "app = 1\n";
    fs::write(folder.join("client.py"), app).unwrap();
    let app = "from flwr.server import ServerApp\napp = ServerApp()\n\n@app.main()\n\
               def main(grid, context):\n    print('it was to be', flush=True)\n";
    fs::write(folder.join("server.py"), app).unwrap();
    let command = |program: &str, app: &str, port: u16| {
        let mut command = OURS.command(program);
        without_proxies(&mut command).current_dir(&folder);
        command.env(
            "FLWR_HOME",
            federation.scratch().folder(&format!("home-{program}")),
        );
        command
            .arg(app)
            .arg("--root-certificates")
            .arg(federation.ca().unwrap());
        command.args(["--server", &format!("{NAME}:{port}")]);
        command
    };
    let (fleet, apps) = (federation.fleet().port(), federation.serverappio().port());
    let mut client = command("flower-client-app", "client:app", fleet);
    let mut node = start(&federation, client.args(["--proxy", &url]));
    let way = format!("through proxy {} (--proxy)", proxy.url(""));
    node.line(&way);
    let mut server = command("flower-server-app", "server:app", apps);
    let told = outcome(server.env("https_proxy", &url)).success();
    told.must_say(&["it was to be", "run completed"]);
    is_silent(&told);
    for port in [fleet, apps] {
        proxy.wait_for(&format!("{NAME}:{port}"));
    }
    node.stop();
    let lines = node.lines().join("\n");
    assert!(
        !SECRETS.iter().any(|secret| lines.contains(secret)),
        "{lines}"
    );
}

#[test]
fn a_federation_keeps_its_proxy() {
    let scratch = Scratch::new();
    let add = |proxy: &str| {
        let mut command = OURS.command("flwr");
        without_proxies(&mut command).env("FLWR_HOME", scratch.path());
        command.args(["federation", "add", "far", "--force", "--address"]);
        outcome(command.args([&format!("{NAME}:9093"), "--proxy", proxy]))
    };
    let told = add("socks5://user:s3cret@proxy:1").failure(2);
    told.must_say(&["--proxy: socks5:// proxies are not supported"]);
    is_silent(&told);
    add("http://127.0.0.1:1").success().must_say(&[]);
    let mut command = OURS.command("flwr");
    without_proxies(&mut command).env("FLWR_HOME", scratch.path());
    let told = outcome(command.current_dir(scratch.path()).args(["doctor", "far"])).failure(1);
    let cause = "proxy http://127.0.0.1:1 (`proxy` of federation `far`): connection refused";
    told.must_say(&[cause]);
}

#[test]
fn the_login_provider_is_reached_through_the_proxy() {
    const ISSUER: &str = "idp.example.org";
    let (scratch, provider) = (Scratch::new(), Provider::named(ISSUER));
    let proxy = ConnectProxy::start(Mood::Login(LOGIN));
    scratch.file("idp.pem", provider.certificate());
    let issuer = provider.issuer();
    let accounts = format!(
        "issuer = \"{issuer}\"\nclient-id = \"flower\"\nroot-certificates = \"idp.pem\"\nallow = \"any\"\n"
    );
    scratch.file("accounts.toml", accounts);
    let pki = e2e::pki::make(&scratch.folder("certificates"), Flaw::None);
    let check = |set: &[(&str, &str)], flags: &[&str]| {
        let mut command = OURS.command("flower-superlink");
        without_proxies(&mut command).envs(set.iter().copied());
        command
            .current_dir(scratch.path())
            .env("FLWR_HOME", scratch.path());
        command.arg("--ssl-ca-certfile").arg(&pki.ca);
        command.arg("--ssl-certfile").arg(&pki.certificate);
        command.arg("--ssl-keyfile").arg(&pki.key);
        command.args(["--check-config", "--account-auth-config", "accounts.toml"]);
        let told = outcome(command.args(flags));
        is_silent(&told);
        told
    };
    let url = proxy.url(USER);
    let told = check(&[("https_proxy", &url)], &[]);
    let way = format!("it answers through proxy {} (https_proxy)", proxy.url(""));
    told.must_say(&[&way]);
    let server = issuer.trim_start_matches("https://").to_owned();
    assert!(
        proxy.asked_for().contains(&server),
        "{:?}",
        proxy.asked_for()
    );
    check(&[], &["--proxy", &url]).must_say(&["it answers", "(--proxy)"]);
    let told = check(&[("https_proxy", &proxy.url(""))], &[]);
    told.must_say(&["(https_proxy): it asks for a login (407)"]);
    let told = check(&[("https_proxy", &url), ("no_proxy", ISSUER)], &[]);
    told.must_say(&[&format!("{server} cannot be reached")]);
}
