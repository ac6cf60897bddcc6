//! The hot pieces by themselves: `cargo bench -p flwr-bench`.

#![expect(
    clippy::disallowed_methods,
    reason = "it measures time, and its tasks end with the process"
)]
#![expect(
    clippy::unwrap_used,
    reason = "what is set up here fails only where there is nothing to measure"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};
use flower_superlink::link::state::{Blob, LinkState, Parcel};
use flower_superlink::store::{Database, Places, Storage};
use flwr_core::context::Context;
use flwr_core::fab;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Body, Message, Metadata};
use flwr_core::object::{Kind, Object, ObjectId, ObjectTree};
use flwr_core::run::{Phase, Run, RunStatus};
use flwr_core::time::Timestamp;
use flwr_security::key::PrivateKey;
use flwr_security::signature::{Verifier, sign};
use time::OffsetDateTime;
use tokio::runtime::Runtime;

const RUN: RunId = RunId(7);
const NOON: Timestamp = Timestamp::from_secs(1_758_000_000.0);
/// Tasks that work on the state at the same time.
const AT_ONCE: u64 = 32;
/// The session in which each node is.
const SESSION: u64 = 1;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    signatures(&mut criterion);
    hashing(&mut criterion);
    bundles(&mut criterion);
    states(&mut criterion);
    criterion.final_summary();
}

fn signatures(criterion: &mut Criterion) {
    let key = PrivateKey::generate().unwrap();
    let now = OffsetDateTime::now_utc();
    let signed = sign(&key, now).unwrap();
    criterion.bench_function("signature: make (P-384)", |bench| {
        bench.iter(|| sign(black_box(&key), now).unwrap());
    });
    criterion.bench_function("signature: check, of a new caller", |bench| {
        bench.iter_batched(
            || Verifier::new(None),
            |verifier| verifier.verify(black_box(&signed), now).unwrap(),
            BatchSize::SmallInput,
        );
    });
    let verifier = Verifier::new(None);
    verifier.verify(&signed, now).unwrap();
    criterion.bench_function("signature: check, shown before", |bench| {
        bench.iter(|| verifier.verify(black_box(&signed), now).unwrap());
    });
    let fresh: Vec<_> = (0..64_i64)
        .map(|second| sign(&key, now - time::Duration::seconds(second)).unwrap())
        .collect();
    let mut turn = fresh.iter().cycle();
    criterion.bench_function("signature: check, new one of a known caller", |bench| {
        bench.iter(|| verifier.verify(turn.next().unwrap(), now).unwrap());
    });
}

fn hashing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("object hash");
    for bytes in [1_000, 100_000, 10_000_000] {
        let content = vec![7; bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(bytes.to_string(), |bench| {
            bench.iter(|| ObjectId::of(black_box(&content)));
        });
    }
    group.finish();
}

fn bundles(criterion: &mut Criterion) {
    let project = include_str!("../../../tests/apps/rounds/pyproject.toml");
    let files: Vec<_> = (0..20)
        .map(|number| {
            let text = format!("value = {number}\n").repeat(500);
            (format!("rounds/module_{number}.py"), Bytes::from(text))
        })
        .collect();
    let files = [
        files,
        ["rounds/__init__.py", "rounds/server.py", "rounds/client.py"]
            .map(|name| (name.to_owned(), Bytes::from_static(b"app = None\n")))
            .to_vec(),
    ]
    .concat();
    criterion.bench_function("FAB of 23 files", |bench| {
        bench.iter(|| fab::build(black_box(project), files.clone()).unwrap());
    });
}

fn states(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    for (name, database) in [
        ("memory", Database::Memory),
        ("SQLite", Database::File(file)),
    ] {
        let storage = Storage::Memory;
        let places = Places { database, storage };
        let state = {
            let _inside = runtime.enter();
            places.open(NOON).unwrap().state
        };
        runtime.block_on(begin(&*state));
        let mut number = 0;
        criterion.bench_function(
            &format!("{name}: message to claim, {AT_ONCE} at once"),
            |bench| {
                bench.iter_custom(|rounds| {
                    let first = number;
                    number += rounds;
                    runtime.block_on(messages(&state, first, rounds))
                });
            },
        );
        criterion.bench_function(&format!("{name}: claim with nothing there"), |bench| {
            bench.iter(|| {
                runtime
                    .block_on(state.claim_message(NodeId(1), SESSION, NOON))
                    .unwrap()
            });
        });
        runtime.block_on(state.close());
    }
}

/// A node, and a run that it works for.
async fn begin(state: &dyn LinkState) {
    for node in 1..=AT_ONCE {
        let key = PrivateKey::generate().unwrap();
        let registered = state
            .register_node(key.public_key(), NodeId(node), NOON)
            .await;
        assert!(registered.unwrap().1.freed.is_empty());
        let activated = state
            .activate_node(NodeId(node), Timestamp::NEVER, NOON)
            .await;
        assert_eq!(activated.unwrap().0, SESSION);
    }
    let run = Run {
        id: RUN,
        fab_id: "publisher/app".to_owned(),
        fab_version: "1.0.0".to_owned(),
        fab_hash: "0".repeat(64),
        account: String::new(),
        override_config: Default::default(),
        status: RunStatus::plain(Phase::Pending),
        pending_at: NOON,
        starting_at: None,
        running_at: None,
        finished_at: None,
    };
    let ((), changed) = state
        .create_run(run, Context::default(), None)
        .await
        .unwrap();
    assert!(changed.freed.is_empty());
    for phase in [Phase::Starting, Phase::Running] {
        let status = RunStatus::plain(phase);
        let ((), changed) = state.change_run(RUN, status, NOON).await.unwrap();
        assert!(changed.freed.is_empty());
    }
}

/// Takes so many messages from being announced to being confirmed by their nodes.
async fn messages(state: &Arc<dyn LinkState>, first: u64, count: u64) -> Duration {
    let parcels: Vec<_> = (first..first + count).map(parcel).collect();
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (node, own) in (1..=AT_ONCE).map(|node| {
        let own = parcels.iter().skip(node as usize - 1);
        (
            node,
            own.step_by(AT_ONCE as usize).cloned().collect::<Vec<_>>(),
        )
    }) {
        let state = Arc::clone(state);
        tasks.spawn(async move {
            for (mut parcel, objects) in own {
                parcel.message.metadata.dst = NodeId(node);
                let sent = state.insert_instructions(RUN, vec![parcel]).await;
                assert!(sent.unwrap().0.ids[0].is_some());
                for object in objects {
                    let (is_kept, _) = state.object_arrived(RUN, object, Blob::OfId).await.unwrap();
                    assert!(is_kept);
                }
                let claimed = state
                    .claim_message(NodeId(node), SESSION, NOON)
                    .await
                    .unwrap();
                let id = claimed.unwrap().message.metadata.id;
                let ((), changed) = state.confirm(RUN, id).await.unwrap();
                assert!(changed.freed.is_empty());
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    begun.elapsed()
}

/// A message of two objects.
fn parcel(number: u64) -> (Parcel, [ObjectId; 2]) {
    let content = Object::new(
        Kind::RecordDict,
        &[],
        format!("{{\"{number}\":0}}").as_bytes(),
    );
    let message = Message {
        metadata: Metadata {
            run: RUN,
            id: content.id,
            src: NodeId::SUPERLINK,
            dst: NodeId(1),
            reply_to: None,
            group: String::new(),
            ttl: 1000.0,
            message_type: "train".to_owned(),
            created_at: NOON,
        },
        body: Body::Content,
    };
    let (parcel, object) = message.announced(Some(ObjectTree::leaf(content.id)));
    (parcel, [content.id, object.id])
}
