//! SuperNodes that join with a token: the one line, what is refused, and how keys and authorities change
//! while rounds go on.

mod commands;
mod listed;
mod live;
mod mutual;
mod refused;
mod remembered;
mod secrets;

use std::path::PathBuf;
use std::process::Command;

use e2e::{App, Federation, Maker, Process, Scratch, Security};
use flwr_client::channel::{Route, Trust, channel};
use flwr_client::line::{GrpcLine, Line as _, Nobody};
use flwr_proto::join::{IssueRequest, IssueResponse, RevokeRequest, RevokeResponse};
use flwr_security::tls::ClientTls;

/// What each token begins with.
const PREFIX: &str = "fjt1_";

/// A SuperLink at which people register nodes.
struct Scene {
    federation: Federation,
}

/// A token, and what the SuperLink keeps of it.
struct Token {
    text: String,
    id: String,
}

impl Scene {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(flags: &[&str]) -> Self {
        let flags = [&["--enable-supernode-auth"], flags].concat();
        let plan = Federation::plan(Security::Tls).nodes(0);
        Self {
            federation: plan.superlink_flags(&flags).start(),
        }
    }

    fn scratch(&self) -> &Scratch {
        self.federation.scratch()
    }

    fn app(&self) -> App {
        self.federation.app("mean")
    }

    /// Asks the SuperLink as `flwr supernode join-token` does.
    fn ask<Q, A>(&self, path: &'static str, request: Q) -> A
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        let trust = ClientTls::trusting(self.federation.ca().unwrap()).unwrap();
        let control = ("127.0.0.1", self.federation.control().port());
        let runtime = e2e::runtime();
        runtime.block_on(async {
            let channel = channel(control, &Trust::Tls(trust), &Route::Direct);
            let line = GrpcLine::new(channel, Nobody);
            line.call(path, request, None).await.unwrap()
        })
    }

    /// A token for so many nodes, which holds for so many seconds.
    fn token(&self, uses: u32, ttl: u64) -> Token {
        let request = IssueRequest {
            host: "127.0.0.1".to_owned(),
            ttl,
            uses,
            ..IssueRequest::default()
        };
        let issued: IssueResponse = self.ask("/flower.join.JoinTokens/Issue", request);
        Token {
            text: issued.token,
            id: issued.about.unwrap().id,
        }
    }

    fn revoke(&self, token: &Token) {
        let id = token.id.clone();
        let RevokeResponse {} = self.ask("/flower.join.JoinTokens/Revoke", RevokeRequest { id });
    }

    /// A SuperNode with a home of its own.
    fn node(&self, name: &str, flags: &[&str]) -> Process {
        start(self.scratch(), name, flags)
    }

    /// The home of a SuperNode.
    fn home(&self, name: &str) -> PathBuf {
        self.scratch().folder(&format!("home-{name}"))
    }

    /// Waits until both nodes have done a run together.
    #[track_caller]
    fn runs(&self, rounds: u32) {
        let config = format!("rounds={rounds} nodes=2");
        let outcome = self.federation.flwr(Maker::Ours).run(&self.app(), &config);
        let last = format!("round {rounds}: mean {rounds}.000 of 2");
        outcome.success().must_say(&[&last]);
    }
}

/// A SuperNode with a home of its own in a folder.
fn start(scratch: &Scratch, name: &str, flags: &[&str]) -> Process {
    Process::start(name, &mut command(scratch, name, flags), scratch.path())
}

fn command(scratch: &Scratch, name: &str, flags: &[&str]) -> Command {
    let mut command = Maker::Ours.command("flower-supernode");
    command.current_dir(scratch.path());
    command.env("FLWR_HOME", scratch.folder(&format!("home-{name}")));
    command.args(["--clientappio-api-address", "127.0.0.1:0"]);
    command.args(["--node-config", "value=1.0"]).args(flags);
    command
}

/// What a SuperNode says that ends with this status, in lines that show no token.
#[track_caller]
fn ends(mut node: Process, code: i32) -> String {
    let status = node.wait();
    let said = node.all_lines().join("\n");
    assert_eq!(status.code(), Some(code), "{said}");
    assert!(!shows_token(&said), "{said}");
    said
}

/// Whether a text has a token, or a part of one: more than what each begins with.
fn shows_token(text: &str) -> bool {
    let mut rests = text.split(PREFIX).skip(1);
    rests.any(|rest| rest.starts_with(|first: char| first.is_ascii_alphanumeric()))
}

/// The line by which a SuperNode tells its id.
fn id_in(line: &str) -> String {
    let (_, rest) = line.split_once("node_id=").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}
