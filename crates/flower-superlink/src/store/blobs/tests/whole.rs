//! A federation over a state in PostgreSQL and bytes under names: from the push of an object to the
//! sweep of its name, also when a SuperLink dies on the way.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use flwr_core::object::Pulled;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_postgres::Server;

use super::*;
use crate::link::state::LinkState;
use crate::link::tests::Federation;
use crate::store::battery::world::NOON;
use crate::store::postgres::tests::audit::audit;
use crate::store::postgres::tests::server;
use crate::store::{PostgresState, PostgresUrl};

/// A model that stands in the database, and one that has a name.
const SIZES: [usize; 2] = [100, 3 * INLINE_MAX];

/// A database with a store beside it.
pub(crate) struct Site {
    pub(crate) address: PostgresUrl,
    pub(crate) shelf: Shelf,
}

impl Site {
    pub(crate) async fn new(shelf: Shelf) -> Self {
        let address = server::place(Server::of_this_process()).await;
        Self { address, shelf }
    }

    /// A SuperLink starts.
    pub(crate) async fn start(&self) -> (Federation, Start) {
        let state = PostgresState::open(&self.address, NOON).await.unwrap();
        let start = state.start();
        let (objects, fabs) = (self.shelf.objects(&start), self.shelf.fabs(&start));
        let state: Arc<dyn LinkState> = Arc::new(state);
        let federation = Federation::with_bytes(state, None, Arc::new(objects), Arc::new(fabs));
        (federation, start)
    }

    pub(crate) async fn names(&self) -> Vec<BlobName> {
        self.shelf.list(NAMES, None).await.unwrap()
    }
}

/// Plays a run with a message of each size and its reply. Everything in the store is noted meanwhile.
pub(crate) async fn play(site: &Site, federation: &Federation, size: usize) {
    let link = &federation.link;
    let run = federation.running().await;
    let hash = link.run(run).await.unwrap().unwrap().fab_hash;
    assert_eq!(link.fab(&hash).await.unwrap(), crate::link::tests::bundle());
    let node = federation.node().await;
    let text = "m".repeat(size);
    let sent = federation.send(run, node, &text).await;
    let claimed = link.claim(node, Duration::ZERO).await.unwrap().unwrap();
    assert_eq!(claimed.message.metadata.id, sent.id());
    for object in &sent.objects {
        let pulled = link.pull_object(run, object.id).await.unwrap();
        assert_eq!(pulled, Pulled::There(object.bytes.clone()));
    }
    link.confirm(run, sent.id()).await.unwrap();
    audit(&site.address).await;
    let reply = federation.answer(run, &sent, &text.replace('m', "r")).await;
    let replies = link.replies(run, &[Some(sent.id())], Duration::ZERO).await;
    assert_eq!(replies.unwrap()[0].message.metadata.id, reply.id());
    for object in &reply.objects {
        let pulled = link.pull_object(run, object.id).await.unwrap();
        assert_eq!(pulled, Pulled::There(object.bytes.clone()));
    }
    audit(&site.address).await;
    let space = link.space().await.unwrap();
    assert!(space.fabs > 0);
    assert_eq!(space.objects > 0, size > INLINE_MAX);
    link.confirm(run, reply.id()).await.unwrap();
    let completed = RunStatus::plain(Phase::Finished(Outcome::Completed));
    link.change_run(run, completed).await.unwrap();
    audit(&site.address).await;
}

#[tokio::test]
async fn a_run_leaves_nothing_in_the_store_once_its_names_are_swept() {
    let (shelves, _dir) = shelves();
    for shelf in shelves {
        let site = Site::new(shelf).await;
        let (federation, _) = site.start().await;
        for size in SIZES {
            play(&site, &federation, size).await;
        }
        // Whoever has looked a name up may still read.
        assert_eq!(
            federation
                .link
                .sweep(Duration::from_secs(60))
                .await
                .unwrap(),
            0
        );
        // Two FABs, and two large objects.
        assert_eq!(site.names().await.len(), 4);
        assert_eq!(federation.link.sweep(Duration::ZERO).await.unwrap(), 4);
        assert_eq!(site.names().await, []);
        let space = federation.link.space().await.unwrap();
        assert_eq!((space.objects, space.fabs), (0, 0));
    }
}

#[tokio::test]
async fn what_a_dead_superlink_stored_and_never_noted_goes_and_nothing_else() {
    let site = Site::new(shelf(InMemory::new())).await;
    let (federation, start) = site.start().await;
    let run = federation.running().await;
    let node = federation.node().await;
    let sent = federation.send(run, node, &"m".repeat(SIZES[1])).await;
    // It dies between the two.
    let unnoted = name(&site.shelf.objects(&start), SIZES[1]).await;
    assert_eq!(site.names().await.len(), 3);
    drop(federation);

    let (federation, start) = site.start().await;
    // It is not noted yet.
    let own = name(&site.shelf.objects(&start), SIZES[1]).await;
    federation.link.delete_leftovers().await.unwrap();
    let left: Vec<_> = site.names().await;
    assert_eq!(left.len(), 3);
    assert!(left.contains(&own) && !left.contains(&unnoted), "{left:?}");
    for object in &sent.objects {
        let pulled = federation.link.pull_object(run, object.id).await.unwrap();
        assert_eq!(pulled, Pulled::There(object.bytes.clone()));
    }
}

#[tokio::test]
async fn an_object_that_comes_twice_is_kept_once() {
    let site = Site::new(shelf(InMemory::new())).await;
    let (federation, start) = site.start().await;
    let (run, node) = (federation.running().await, federation.node().await);
    let sent = federation.send(run, node, &"m".repeat(SIZES[1])).await;
    let object = sent
        .objects
        .iter()
        .find(|object| object.bytes.len() > INLINE_MAX);
    let object = object.unwrap();
    let before = site.names().await;
    // Two pushes at the same time both find that the object is missing: the second comes late.
    let blobs = site.shelf.objects(&start);
    let blob = blobs
        .keep(run, object.id, object.bytes.clone())
        .await
        .unwrap();
    let (is_kept, _) = federation
        .state()
        .object_arrived(run, object.id, blob)
        .await
        .unwrap();
    assert!(!is_kept);
    audit(&site.address).await;
    assert_eq!(federation.link.sweep(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(site.names().await, before);
}

#[tokio::test]
async fn a_run_that_begins_again_keeps_its_fab_only() {
    let site = Site::new(shelf(InMemory::new())).await;
    let (federation, _) = site.start().await;
    let (run, node) = (federation.running().await, federation.node().await);
    federation.send(run, node, &"m".repeat(SIZES[1])).await;
    let hash = federation.link.run(run).await.unwrap().unwrap().fab_hash;
    assert!(
        federation
            .link
            .begin_again(run, "A test says so.")
            .await
            .unwrap()
    );
    audit(&site.address).await;
    assert_eq!(federation.link.sweep(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(site.names().await.len(), 1);
    federation.link.fab(&hash).await.unwrap();
}

#[tokio::test]
async fn names_that_cannot_be_deleted_hold_up_no_others() {
    let store = Watched::default();
    let (stuck, panics) = (Arc::clone(&store.stuck), Arc::clone(&store.panics));
    let site = Site::new(shelf(store)).await;
    let (federation, start) = site.start().await;
    let (run, node) = (federation.running().await, federation.node().await);
    let sent = federation.send(run, node, &"m".repeat(SIZES[1])).await;
    // Uploads that came too late, which are garbage at once.
    let blobs = site.shelf.objects(&start);
    let object = sent
        .objects
        .iter()
        .find(|object| object.bytes.len() > INLINE_MAX);
    let object = object.unwrap();
    for number in 0..3 {
        let blob = blobs
            .keep(run, object.id, object.bytes.clone())
            .await
            .unwrap();
        let Blob::Named(name) = &blob else {
            panic!("{blob:?}");
        };
        if number == 0 {
            stuck.lock().insert(name.key.clone());
        }
        let state = federation.state();
        let (is_kept, _) = state.object_arrived(run, object.id, blob).await.unwrap();
        assert!(!is_kept);
    }
    let client = server::client_at(&site.address).await;
    let age = "UPDATE garbage SET since = since - interval '1 hour'";
    client.batch_execute(age).await.unwrap();
    let hour = Duration::from_secs(1800);
    // A server that answers nonsense deletes nothing, and is no panic.
    panics.store(true, Ordering::SeqCst);
    federation.link.sweep(hour).await.unwrap_err();
    assert_eq!(site.names().await.len(), 5);
    client.batch_execute(age).await.unwrap();
    let refused = federation.link.sweep(hour).await.unwrap_err();
    let refused = flwr_core::cause::chain(&refused);
    let key = stuck.lock().iter().next().unwrap().clone();
    assert!(
        refused.contains(&key) && refused.contains("is away"),
        "{refused}"
    );
    assert_eq!(site.names().await.len(), 3);
    let left = federation
        .state()
        .garbage(Duration::ZERO, 10)
        .await
        .unwrap();
    assert_eq!(left.len(), 1);
    // It is not tried again at once.
    assert_eq!(federation.link.sweep(hour).await.unwrap(), 0);
    client.batch_execute(age).await.unwrap();
    stuck.lock().clear();
    assert_eq!(federation.link.sweep(hour).await.unwrap(), 1);
    assert_eq!(site.names().await.len(), 2);
    audit(&site.address).await;
}

#[tokio::test]
async fn a_leftover_that_cannot_be_deleted_holds_up_no_others() {
    let store = Watched::default();
    let stuck = Arc::clone(&store.stuck);
    let site = Site::new(shelf(store)).await;
    let (federation, start) = site.start().await;
    let blobs = site.shelf.objects(&start);
    let (one, two) = (name(&blobs, SIZES[1]).await, name(&blobs, SIZES[1]).await);
    let first = one.min(two);
    drop(federation);
    stuck.lock().insert(first.key.clone());
    let (federation, _) = site.start().await;
    federation.link.delete_leftovers().await.unwrap_err();
    assert_eq!(site.names().await, std::slice::from_ref(&first));
    stuck.lock().clear();
    federation.link.delete_leftovers().await.unwrap();
    assert_eq!(site.names().await, []);
}

#[tokio::test]
async fn what_is_deleted_within_a_minute_does_not_count_as_used() {
    let site = Site::new(shelf(InMemory::new())).await;
    let (federation, start) = site.start().await;
    let run = federation.running().await;
    // Nobody needs it: it is garbage at once.
    let size = 50 << 20;
    let blob = Blob::Named(BlobName {
        key: format!("o/{start}/{run}/1"),
        size,
    });
    let state = federation.state();
    let (id, _) = content(10);
    assert!(!state.object_arrived(run, id, blob).await.unwrap().0);
    assert!(state.used().await.unwrap() < size);
    // It takes space until then.
    assert!(federation.link.space().await.unwrap().objects >= size);
}

/// A store in which an object goes and comes again under another name while the object is read.
#[derive(Debug)]
struct Moving {
    blobs: NamedBlobs,
    address: PostgresUrl,
    moves: AtomicBool,
}

impl Moving {
    async fn move_away(&self, run: RunId, id: ObjectId, from: &BlobName) {
        let content = self.blobs.shelf.fetch(&id, from).await.unwrap();
        let to = self.blobs.keep(run, id, content).await.unwrap();
        let Blob::Named(to) = to else {
            panic!("{to:?}");
        };
        let client = server::client_at(&self.address).await;
        for sql in [
            "UPDATE blob SET key = $2 WHERE key = $1",
            "UPDATE object SET blob = $2 WHERE blob = $1",
            "UPDATE run SET fab_blob = $2 WHERE fab_blob = $1",
        ] {
            client.execute(sql, &[&from.key, &to.key]).await.unwrap();
        }
        self.blobs.sweep(vec![from.key.clone()]).await;
    }
}

#[async_trait]
impl BlobStore for Moving {
    async fn keep(&self, run: RunId, id: ObjectId, content: Bytes) -> Result<Blob, Error> {
        self.blobs.keep(run, id, content).await
    }

    async fn read(&self, id: &ObjectId, blob: &Blob) -> Result<Option<Bytes>, Error> {
        if let Blob::Named(name) = blob
            && self.moves.swap(false, Ordering::SeqCst)
        {
            self.move_away(RUN, *id, name).await;
        }
        self.blobs.read(id, blob).await
    }

    async fn first_flaw(&self, ids: Vec<ObjectId>) -> Result<Option<Flawed>, Error> {
        self.blobs.first_flaw(ids).await
    }

    async fn let_go(&self, id: &ObjectId) -> Result<(), Error> {
        self.blobs.let_go(id).await
    }

    async fn discard(&self, id: &ObjectId, blob: &Blob) -> Result<(), Error> {
        self.blobs.discard(id, blob).await
    }

    async fn probe(&self) -> Result<(), Error> {
        self.blobs.probe().await
    }

    fn uncounted(&self) -> u64 {
        self.blobs.uncounted()
    }
}

#[tokio::test]
async fn bytes_that_come_again_under_another_name_are_not_lost() {
    let site = Site::new(shelf(InMemory::new())).await;
    let state = PostgresState::open(&site.address, NOON).await.unwrap();
    let moving = |blobs: NamedBlobs| {
        Arc::new(Moving {
            blobs,
            address: site.address.clone(),
            moves: AtomicBool::new(false),
        })
    };
    let (objects, fabs) = (
        moving(site.shelf.objects(&start("s", 1))),
        moving(site.shelf.fabs(&start("s", 1))),
    );
    let stores = (Arc::clone(&objects), Arc::clone(&fabs));
    let federation = Federation::with_bytes(Arc::new(state), None, stores.0, stores.1);
    let (run, node) = (federation.running().await, federation.node().await);
    let sent = federation.send(run, node, &"m".repeat(SIZES[1])).await;
    for store in [&objects, &fabs] {
        store.moves.store(true, Ordering::SeqCst);
    }
    for object in &sent.objects {
        let pulled = federation.link.pull_object(run, object.id).await.unwrap();
        assert_eq!(pulled, Pulled::There(object.bytes.clone()));
    }
    let hash = federation.link.run(run).await.unwrap().unwrap().fab_hash;
    federation.link.fab(&hash).await.unwrap();
    for store in [&objects, &fabs] {
        assert!(!store.moves.load(Ordering::SeqCst), "nothing was moved");
    }
}
