//! A power cut: whatever was answered is on the disk, in the state and in the objects, at each
//! moment at which the power can go.

use std::path::Path;

use flwr_core::fab;
use flwr_core::id::RunId;
use flwr_core::message::{MessageId, Metadata};
use flwr_core::object::Object;
use flwr_core::port::Fleet;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_powercut::{self as powercut, Cut};
use flwr_security::key::PrivateKey;

use super::traffic::{instruction_to, mail, session};
use super::*;
use crate::link::state::{Answer, Blob};
use crate::store::{Database, Opened, Places, Storage};

const NOON: Timestamp = Timestamp::from_secs(1_750_000_100.0);
const PROJECT: &str = "[project]\nname = \"mini\"\nversion = \"1.0.0\"\n[tool.flwr.app]\n\
    publisher = \"pub\"\n[tool.flwr.app.components]\nserverapp = \"mini.s:app\"\n\
    clientapp = \"mini.c:app\"\n";

/// Opens what a SuperLink keeps in this directory, made if it is not there.
fn open(dir: &Path) -> Opened {
    let database = dir.join("home").join("superlink").join("state.db");
    let places = Places {
        storage: Storage::beside(&database),
        database: Database::File(database),
    };
    places.open(NOON).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// A run from its start to its end. Each answer is acknowledged with what it promises.
async fn work(dir: &Path) {
    let Opened {
        state,
        objects,
        fabs,
        ..
    } = open(dir);
    let link = Arc::new(Link::new(crate::link::Parts {
        objects,
        fabs,
        ..link_parts(state, NOON)
    }));
    let host = host(link, Policy::AnyKey, None);
    let (link, key) = (host.link(), PrivateKey::generate().unwrap());
    let files = ["mini/c.py", "mini/s.py"].map(|path| (path.to_owned(), "app = 1\n".into()));
    let fab = fab::build(PROJECT, files.to_vec()).unwrap();
    let app = (String::new(), String::new());
    let run = link.start_run_of_a_stranger(app, Some(fab.bytes.clone()), Default::default());
    let run = run.await.unwrap();
    powercut::acknowledge(&format!("run {run} {}", fab.hash));
    let node = session(&host, &key).await.join(30.0).await.unwrap();
    powercut::acknowledge(&format!("node {node}"));
    let session = session(&host, &key).await;

    let metadata = instruction_to(run, node, NOON);
    let (instruction, asked) = mail(metadata.clone(), b"a model");
    let id = instruction.message.metadata.id;
    link.send(run, vec![instruction]).await.unwrap();
    powercut::acknowledge(&format!("instruction {run} {id}"));
    for object in asked {
        let Object { id: part, bytes } = object;
        assert!(link.push_object(run, part, bytes).await.unwrap());
        powercut::acknowledge(&format!("asked {run} {id} {part}"));
    }
    session.pull(Duration::ZERO).await.unwrap().unwrap();
    session.confirm(run, id).await.unwrap();
    let reply = Metadata {
        src: node,
        dst: NodeId::SUPERLINK,
        reply_to: Some(id),
        ..metadata
    };
    let (reply, told) = mail(reply, b"another model");
    let answer = reply.message.metadata.id;
    session.push(reply, None).await.unwrap().unwrap();
    for Object { id, bytes } in told {
        assert!(session.push_object(run, id, bytes).await.unwrap());
        powercut::acknowledge(&format!("told {run} {id}"));
    }
    powercut::acknowledge(&format!("reply {run} {id} {answer}"));
    link.push_log(run, "round 1\n".to_owned()).await.unwrap();
    powercut::acknowledge(&format!("log {run}"));
    let completed = RunStatus::plain(Phase::Finished(Outcome::Completed));
    link.change_run(run, completed).await.unwrap();
    powercut::acknowledge(&format!("finished {run}"));
}

/// What was answered is kept.
async fn check(cut: &Cut<'_>) {
    let opened = open(cut.disk);
    let context = format!("{:?} after {:?}", cut.names, cut.acknowledged);
    assert_eq!(opened.missing, [], "{context}");
    for answer in cut.acknowledged {
        let is_kept = is_kept(&opened, answer).await;
        assert!(is_kept, "{answer:?} is lost: {context}");
    }
}

async fn is_kept(opened: &Opened, answer: &str) -> bool {
    let words: Vec<&str> = answer.split(' ').collect();
    let state = &opened.state;
    if words[0] == "node" {
        let node = state.node(NodeId(words[1].parse().unwrap())).await.unwrap();
        return node.is_some_and(|node| node.session == 1);
    }
    let run = RunId(words[1].parse().unwrap());
    let Some(found) = state.run(run).await.unwrap() else {
        return false;
    };
    let is_finished = found.status.phase.is_finished();
    let id = |place: usize| -> MessageId { words[place].parse().unwrap() };
    let answer = async |asked| {
        let answers = state.answers(run, &[asked], NOON).await.unwrap();
        answers.into_iter().next().unwrap()
    };
    match words[0] {
        "run" => {
            let bundle = opened.fabs.read(&id(2), &Blob::OfId).await.unwrap();
            found.fab_hash == words[2] && (bundle.is_some() || is_finished)
        }
        "log" => !state
            .log_after(run, Timestamp::ZERO, usize::MAX)
            .await
            .unwrap()
            .is_empty(),
        "finished" => is_finished,
        // Messages and objects go with their run.
        _ if is_finished => true,
        // What an instruction is made of goes with its reply.
        "asked" => {
            matches!(answer(id(2)).await, Answer::Reply(_))
                || opened
                    .objects
                    .read(&id(3), &Blob::OfId)
                    .await
                    .unwrap()
                    .is_some()
        }
        "told" => opened
            .objects
            .read(&id(2), &Blob::OfId)
            .await
            .unwrap()
            .is_some(),
        "instruction" => !matches!(answer(id(2)).await, Answer::Unknown),
        "reply" => match answer(id(2)).await {
            Answer::Reply(parcel) => parcel.message.metadata.id == id(3),
            _ => false,
        },
        other => panic!("nothing is known of {other:?}"),
    }
}

#[test]
fn a_power_cut_loses_nothing_that_was_answered() {
    if let Some(dir) = powercut::child() {
        return runtime().block_on(work(&dir));
    }
    if !powercut::can_trace() {
        return;
    }
    let recording =
        powercut::record("host::tests::power::a_power_cut_loses_nothing_that_was_answered");
    let (runtime, mut answers) = (runtime(), 0);
    let cuts = recording.cut(|cut| {
        answers = cut.acknowledged.len();
        runtime.block_on(check(cut));
    });
    assert_eq!(answers, 10);
    assert!(cuts > 4 * answers, "{cuts} cuts: few syncs are seen");
}
