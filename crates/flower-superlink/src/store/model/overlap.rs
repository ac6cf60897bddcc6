//! Histories that overlap: two senders of messages that share objects, the nodes and the ServerApp work on one
//! run at the same time. Whatever the order, no message is worked on twice, none is lost, and in the
//! end nothing is kept.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use flwr_core::id::NodeId;
use flwr_core::message::MessageId;
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use super::KEYS;
use crate::link::state::{Answer, Changed, LinkState};
use crate::store::battery::world::{NOON, RUN, Sent, World, blob};

/// Messages of a history.
const MESSAGES: usize = 24;
/// A history that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// What all who take part know.
struct Shared {
    state: Arc<dyn LinkState>,
    /// How often the bytes of each object are kept: put, and not freed.
    kept: Mutex<HashMap<ObjectId, i64>>,
    /// The messages that a node has confirmed, and so works on.
    worked_on: Mutex<HashSet<MessageId>>,
    /// The messages whose reply the ServerApp has confirmed.
    answered: Mutex<HashSet<MessageId>>,
}

impl Shared {
    async fn put(&self, object: ObjectId) {
        *self.kept.lock().entry(object).or_default() += 1;
        let arrived = self
            .state
            .object_arrived(RUN, object, blob(object))
            .await
            .unwrap();
        self.free(arrived.1);
    }

    fn free(&self, changed: Changed) {
        let mut kept = self.kept.lock();
        for object in changed.freed {
            *kept.entry(object).or_default() -= 1;
        }
    }

    fn is_over(&self) -> bool {
        self.answered.lock().len() == MESSAGES
    }
}

/// Plays a history over a state, and looks at what is left.
pub(super) async fn play(state: Arc<dyn LinkState>, seed: u64) {
    let world = World::new(Arc::clone(&state));
    world.running().await;
    let mut nodes = Vec::new();
    for (number, key) in (1..).zip(KEYS.iter()) {
        let (registration, _) = world.comes(key, NodeId(number), Timestamp::NEVER).await;
        nodes.push(registration.node);
    }
    // Three messages in a row share their objects but for one.
    let messages = (0..MESSAGES).map(|number| {
        let node = nodes[number % nodes.len()];
        Sent::instruction_at(&format!("{}", number / 3), node, number)
    });
    let messages: Arc<Vec<_>> = Arc::new(messages.collect());
    let shared = Arc::new(Shared {
        state: Arc::clone(&state),
        kept: Mutex::default(),
        worked_on: Mutex::default(),
        answered: Mutex::default(),
    });
    let mut parts = JoinSet::new();
    for (sender, number) in (0..2).zip(seed * 100..) {
        let (shared, messages) = (Arc::clone(&shared), Arc::clone(&messages));
        let random = StdRng::seed_from_u64(number);
        parts.spawn(send(shared, messages, sender, random));
    }
    for (number, node) in (seed * 100 + 2..).zip(nodes) {
        let (shared, messages) = (Arc::clone(&shared), Arc::clone(&messages));
        let random = StdRng::seed_from_u64(number);
        parts.spawn(work(shared, messages, node, random));
    }
    parts.spawn(collect(Arc::clone(&shared), Arc::clone(&messages)));
    let all = async { while parts.join_next().await.transpose().unwrap().is_some() {} };
    timeout(LIMIT, all).await.expect("the history hangs");

    assert_eq!(shared.worked_on.lock().len(), MESSAGES);
    for (object, kept) in &*shared.kept.lock() {
        assert_eq!(*kept, 0, "bytes of object {object}");
    }
    for sent in messages.iter() {
        for object in &sent.objects {
            assert!(!world.knows(*object).await, "object {object}");
        }
        assert_eq!(world.answer(sent, NOON).await, Answer::Unknown);
    }
}

/// Sends every second message, in an order of its own and twice, with what is missing. Messages of
/// both senders share objects.
async fn send(shared: Arc<Shared>, messages: Arc<Vec<Sent>>, sender: usize, mut random: StdRng) {
    let mut order: Vec<_> = (sender..MESSAGES).step_by(2).collect();
    order.shuffle(&mut random);
    for number in order {
        let sent = &messages[number];
        // The message itself is missing until we put it: nobody works on it before.
        let mut missing = Vec::new();
        for _ in 0..2 {
            let parcels = vec![sent.parcel.clone()];
            let inserted = shared.state.insert_instructions(RUN, parcels).await;
            let (inserted, changed) = inserted.unwrap();
            shared.free(changed);
            missing = inserted.missing;
            yield_now().await;
        }
        for object in missing {
            shared.put(object).await;
        }
    }
}

/// Works on the node's messages. Some answers to a claim are lost, and come again.
async fn work(shared: Arc<Shared>, messages: Arc<Vec<Sent>>, node: NodeId, mut random: StdRng) {
    let state = &shared.state;
    let session = state.session(node).await.unwrap().unwrap();
    while !shared.is_over() {
        let Some(mut parcel) = state.claim_message(node, session, NOON).await.unwrap() else {
            yield_now().await;
            continue;
        };
        if random.random_bool(0.25) {
            let again = state.claim_message(node, session, NOON).await.unwrap();
            parcel = again.expect("what was not confirmed comes again");
        }
        let id = parcel.message.metadata.id;
        let ((), changed) = state.confirm(RUN, id).await.unwrap();
        shared.free(changed);
        assert!(shared.worked_on.lock().insert(id), "{id} came twice");
        let asked = messages.iter().find(|sent| sent.id() == id).unwrap();
        let reply = Sent::reply("done", asked);
        for _ in 0..random.random_range(1..3) {
            let stored = state.insert_reply(reply.parcel.clone(), NOON).await;
            // It may be whole, taken and forgotten by now.
            let Ok((missing, changed)) = stored else {
                break;
            };
            shared.free(changed);
            for object in missing {
                shared.put(object).await;
            }
        }
    }
}

/// Asks for all replies until each was confirmed.
async fn collect(shared: Arc<Shared>, messages: Arc<Vec<Sent>>) {
    while !shared.is_over() {
        let open = messages.iter().map(Sent::id);
        let open: Vec<_> = {
            let answered = shared.answered.lock();
            open.filter(|id| !answered.contains(id)).collect()
        };
        let answers = shared.state.answers(RUN, &open, NOON).await.unwrap();
        for (id, answer) in open.into_iter().zip(answers) {
            if let Answer::Reply(parcel) = answer {
                let reply = parcel.message.metadata.id;
                let ((), changed) = shared.state.confirm(RUN, reply).await.unwrap();
                shared.free(changed);
                assert!(shared.answered.lock().insert(id), "{id} is answered twice");
            }
        }
        yield_now().await;
    }
}
