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
use tokio::time::{sleep, timeout};

use super::KEYS;
use crate::in_time::in_time;
use crate::link::state::{Answer, Changed, LinkState};
use crate::store::battery::world::{NOON, RUN, Sent, World, blob};

/// Messages of a history.
const MESSAGES: usize = 24;
/// A history that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// A state that takes part: each is of another SuperLink.
type State = Arc<dyn LinkState>;

/// What all who take part know.
struct Shared {
    /// How often the bytes of each object are kept: put, and not freed.
    kept: Mutex<HashMap<ObjectId, i64>>,
    /// The messages that a node has confirmed, and so works on.
    worked_on: Mutex<HashSet<MessageId>>,
    /// The messages whose reply the ServerApp has confirmed.
    answered: Mutex<HashSet<MessageId>>,
}

impl Shared {
    async fn put(&self, state: &State, object: ObjectId) {
        *self.kept.lock().entry(object).or_default() += 1;
        let arrived = state.object_arrived(RUN, object, blob(object)).await;
        self.free(state, arrived.unwrap().1);
    }

    /// Does what a link does with a change.
    fn free(&self, state: &State, changed: Changed) {
        state.tell_others(&changed.wake);
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
pub(super) async fn play(state: State, seed: u64) {
    play_at(&[state], seed).await;
}

/// The same over the states of several SuperLinks with one database. Each who takes part calls at another.
pub(super) async fn play_at(states: &[State], seed: u64) {
    let at = |number: usize| Arc::clone(&states[number % states.len()]);
    let world = World::new(at(0));
    world.running().await;
    let mut nodes = Vec::new();
    for (number, key) in (1..).zip(KEYS.iter()) {
        let (registration, _) = world.comes(key, NodeId(number), Timestamp::NEVER).await;
        nodes.push(registration.node);
    }
    for (state, node) in states
        .iter()
        .flat_map(|state| nodes.iter().map(move |node| (state, *node)))
    {
        let known = async {
            while state.session(node).await.unwrap() != Some(1) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        in_time("the node's session is known", known).await;
    }
    // Three messages in a row share their objects but for one.
    let messages = (0..MESSAGES).map(|number| {
        let node = nodes[number % nodes.len()];
        Sent::instruction_at(&format!("{}", number / 3), node, number)
    });
    let messages: Arc<Vec<_>> = Arc::new(messages.collect());
    let shared = Arc::new(Shared {
        kept: Mutex::default(),
        worked_on: Mutex::default(),
        answered: Mutex::default(),
    });
    let mut parts = JoinSet::new();
    for (sender, number) in (0..2).zip(seed * 100..) {
        let (shared, messages) = (Arc::clone(&shared), Arc::clone(&messages));
        let random = StdRng::seed_from_u64(number);
        parts.spawn(send((at(sender), shared), messages, sender, random));
    }
    for (number, node) in (2..).zip(nodes) {
        let (shared, messages) = (Arc::clone(&shared), Arc::clone(&messages));
        let random = StdRng::seed_from_u64(seed * 100 + number as u64);
        parts.spawn(work((at(number), shared), messages, node, random));
    }
    parts.spawn(collect(at(2), Arc::clone(&shared), Arc::clone(&messages)));
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
async fn send(
    (state, shared): (State, Arc<Shared>),
    messages: Arc<Vec<Sent>>,
    sender: usize,
    mut random: StdRng,
) {
    let mut order: Vec<_> = (sender..MESSAGES).step_by(2).collect();
    order.shuffle(&mut random);
    for number in order {
        let sent = &messages[number];
        // The message itself is missing until we put it: nobody works on it before.
        let mut missing = Vec::new();
        for _ in 0..2 {
            let parcels = vec![sent.parcel.clone()];
            let inserted = state.insert_instructions(RUN, parcels).await;
            let (inserted, changed) = inserted.unwrap();
            shared.free(&state, changed);
            missing = inserted.missing;
            yield_now().await;
        }
        for object in missing {
            shared.put(&state, object).await;
        }
    }
}

/// Works on the node's messages. Some answers to a claim are lost, and come again.
async fn work(
    (state, shared): (State, Arc<Shared>),
    messages: Arc<Vec<Sent>>,
    node: NodeId,
    mut random: StdRng,
) {
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
        shared.free(&state, changed);
        assert!(shared.worked_on.lock().insert(id), "{id} came twice");
        let asked = messages.iter().find(|sent| sent.id() == id).unwrap();
        let reply = Sent::reply("done", asked);
        for _ in 0..random.random_range(1..3) {
            let stored = state.insert_reply(reply.parcel.clone(), NOON).await;
            // It may be whole, taken and forgotten by now.
            let Ok((missing, changed)) = stored else {
                break;
            };
            shared.free(&state, changed);
            for object in missing {
                shared.put(&state, object).await;
            }
        }
    }
}

/// Asks for all replies until each was confirmed.
async fn collect(state: State, shared: Arc<Shared>, messages: Arc<Vec<Sent>>) {
    while !shared.is_over() {
        let open = messages.iter().map(Sent::id);
        let open: Vec<_> = {
            let answered = shared.answered.lock();
            open.filter(|id| !answered.contains(id)).collect()
        };
        let answers = state.answers(RUN, &open, NOON).await.unwrap();
        for (id, answer) in open.into_iter().zip(answers) {
            if let Answer::Reply(parcel) = answer {
                let reply = parcel.message.metadata.id;
                let ((), changed) = state.confirm(RUN, reply).await.unwrap();
                shared.free(&state, changed);
                assert!(shared.answered.lock().insert(id), "{id} is answered twice");
            }
        }
        yield_now().await;
    }
}
