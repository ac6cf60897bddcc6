//! Bytes under names, in memory, in a directory, and in a store that loses and fails.

pub(in crate::store) mod bucket;
mod claims;
mod earlier;
mod flawed;
mod whole;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tempfile::TempDir;

use super::shelf::{ONE_REQUEST, PART};
use super::*;
use bucket::bucket_shelf;
use flawed::Watched;

const RUN: RunId = RunId(77);
const CACHE: u64 = 1 << 20;

fn start(state: &str, epoch: i64) -> Start {
    Start {
        state: state.to_owned(),
        epoch,
        beside: Beside::default(),
    }
}

fn shelf(store: impl ObjectStore) -> Shelf {
    Shelf::new(Arc::new(store), "place", CACHE)
}

/// A shelf over a directory, which goes with the second value.
pub(super) fn directory() -> (Shelf, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let files = LocalFileSystem::new_with_prefix(dir.path()).unwrap();
    let files = files.with_fsync(true).with_automatic_cleanup(true);
    let path = dir.path().to_owned();
    (shelf(files).over_directory(path), dir)
}

/// A shelf in memory, one over a directory, and one in a bucket.
pub(super) fn shelves() -> ([Shelf; 3], TempDir) {
    let (files, dir) = directory();
    let bucket = bucket_shelf(flwr_bucket::Server::of_this_process().address());
    ([shelf(InMemory::new()), files, bucket], dir)
}

/// Bytes of this number, with their id.
fn content(size: usize) -> (ObjectId, Bytes) {
    let content: Vec<u8> = (0..size).map(|place| (place / 7) as u8).collect();
    (ObjectId::of(&content), content.into())
}

async fn name(blobs: &NamedBlobs, size: usize) -> BlobName {
    let (id, content) = content(size);
    match blobs.keep(RUN, id, content).await.unwrap() {
        Blob::Named(name) => name,
        other => panic!("{other:?} is no name"),
    }
}

#[tokio::test]
async fn each_upload_has_a_name_of_its_own_and_is_given_until_the_name_is_swept() {
    let (shelves, _dir) = shelves();
    for shelf in shelves {
        let blobs = shelf.objects(&start("s", 3));
        for size in [INLINE_MAX + 1, ONE_REQUEST + PART + 5] {
            let (id, content) = content(size);
            let (first, second) = (name(&blobs, size).await, name(&blobs, size).await);
            assert_ne!(first, second);
            assert!(first.key.starts_with("o/s-3/"), "{first:?}");
            assert_eq!(first.size, size as u64);
            for _ in 0..2 {
                let swept = blobs.sweep(vec![first.key.clone()]).await;
                assert_eq!(swept.gone, std::slice::from_ref(&first.key));
            }
            let read = async |name| blobs.read(&id, &Blob::Named(name)).await.unwrap();
            assert_eq!(read(first).await, None);
            blobs.shelf.cache.forget(&second.key);
            assert_eq!(read(second).await, Some(content));
        }
        blobs.probe().await.unwrap();
    }
}

#[tokio::test]
async fn small_bytes_stand_in_the_state() {
    let blobs = shelf(InMemory::new()).objects(&start("s", 1));
    let (id, content) = content(INLINE_MAX);
    let blob = blobs.keep(RUN, id, content.clone()).await.unwrap();
    assert_eq!(blob, Blob::Inline(content.clone()));
    assert_eq!(blobs.read(&id, &blob).await.unwrap(), Some(content));
    assert_eq!(blobs.shelf.folders().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn other_bytes_than_were_stored_are_never_given() {
    let store = Arc::new(InMemory::new());
    let shelf = || Shelf::new(Arc::clone(&store) as Arc<dyn ObjectStore>, "place", CACHE);
    let name = name(&shelf().objects(&start("s", 1)), INLINE_MAX + 1).await;
    let (id, _) = content(INLINE_MAX + 1);
    let path = Path::parse(&name.key).unwrap();
    store.put(&path, "other".into()).await.unwrap();
    // Another process, which has nothing in memory.
    let blobs = shelf().objects(&start("s", 2));
    let inline = Blob::Inline(Bytes::from_static(b"other"));
    for blob in [Blob::Named(name), inline] {
        let refused = blobs.read(&id, &blob).await.unwrap_err();
        let Error::Flawed(flawed) = refused else {
            panic!("{refused}");
        };
        assert_eq!(flawed.flaw, Flaw::Damaged);
    }
}

#[tokio::test]
async fn bytes_that_are_cut_off_or_too_many_are_damaged() {
    let (shelves, _dir) = shelves();
    for shelf in shelves {
        let blobs = shelf.objects(&start("s", 1));
        let size = ONE_REQUEST + PART + 5;
        let (id, content) = content(size);
        let name = name(&blobs, size).await;
        for found in [0, 100, PART, PART + 1, size - 1, size + 1] {
            let mut other = content.to_vec();
            other.resize(found, 7);
            shelf.put(&name.key, other.into()).await.unwrap();
            shelf.cache.forget(&name.key);
            let refused = blobs.read(&id, &Blob::Named(name.clone())).await;
            let Err(Error::Flawed(flawed)) = refused else {
                panic!("{found}: {refused:?}");
            };
            assert_eq!(flawed.flaw, Flaw::Damaged, "{found}");
        }
    }
}

#[tokio::test]
async fn what_was_stored_under_an_id_is_still_found() {
    let (shelf, dir) = directory();
    let (id, content) = content(9);
    let path = flwr_daemon::objects::path_in(&dir.path().join("objects"), &id);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, &content).unwrap();
    let blobs = shelf.objects(&start("s", 1));
    assert_eq!(blobs.read(&id, &Blob::OfId).await.unwrap(), Some(content));
}

#[tokio::test]
async fn bytes_that_all_ask_for_are_read_once() {
    let store = Watched::default();
    let reads = Arc::clone(&store.reads);
    let shelf = shelf(store);
    let blobs = Arc::new(shelf.objects(&start("s", 1)));
    let name = name(&blobs, 100_000).await;
    let (id, content) = content(100_000);
    // Whoever stored them has them at hand.
    let blob = Blob::Named(name.clone());
    assert_eq!(blobs.read(&id, &blob).await.unwrap(), Some(content.clone()));
    assert_eq!(reads.load(Ordering::SeqCst), 0);
    shelf.cache.forget(&name.key);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (blobs, blob) = (Arc::clone(&blobs), blob.clone());
        asking.spawn(async move { blobs.read(&id, &blob).await.unwrap() });
    }
    for read in asking.join_all().await {
        assert_eq!(read, Some(content.clone()));
    }
    assert_eq!(reads.load(Ordering::SeqCst), 1);
    // What is larger than the memory does not stay there.
    let large = 2 * usize::try_from(CACHE).unwrap();
    self::name(&blobs, large).await;
    assert!(shelf.cache.weight() <= CACHE);
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_for_a_read_that_fails_fail_with_the_read() {
    let store = Watched::default();
    let (reads, away) = (Arc::clone(&store.reads), Arc::clone(&store.is_away));
    let shelf = shelf(store);
    let blobs = Arc::new(shelf.objects(&start("s", 1)));
    let name = name(&blobs, 100_000).await;
    let (id, content) = content(100_000);
    shelf.cache.forget(&name.key);
    away.store(true, Ordering::SeqCst);
    let began = tokio::time::Instant::now();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (blobs, blob) = (Arc::clone(&blobs), Blob::Named(name.clone()));
        asking.spawn(async move { blobs.read(&id, &blob).await });
    }
    for read in asking.join_all().await {
        let refused = flwr_core::cause::chain(&read.unwrap_err());
        assert!(
            refused.contains("could not read `place/o/s-1/") && refused.contains("is away"),
            "{refused}"
        );
    }
    assert_eq!(reads.load(Ordering::SeqCst), 1);
    assert_eq!(began.elapsed(), flawed::PATIENCE);
    // Who comes later tries again.
    away.store(false, Ordering::SeqCst);
    let read = blobs.read(&id, &Blob::Named(name)).await.unwrap();
    assert_eq!(read, Some(content));
}

#[tokio::test(start_paused = true)]
async fn uploads_share_a_slow_line_a_few_at_a_time() {
    let store = Watched::default();
    let most = Arc::clone(&store.most_under_way);
    let blobs = Arc::new(shelf(store).objects(&start("s", 1)));
    let upload = async |size: usize, number: usize| {
        most.lock().1 = 0;
        let mut sending = tokio::task::JoinSet::new();
        let (id, content) = content(size);
        for _ in 0..number {
            let (blobs, content) = (Arc::clone(&blobs), content.clone());
            sending.spawn(async move { blobs.keep(RUN, id, content).await.unwrap() });
        }
        assert_eq!(sending.join_all().await.len(), number);
        most.lock().1
    };
    // 64 MiB at most, and 64 small ones.
    assert_eq!(upload(ONE_REQUEST, 10).await, 4);
    assert_eq!(upload(INLINE_MAX + 1, 100).await, 64);
}

#[tokio::test]
async fn an_upload_that_fails_is_aborted() {
    let store = Watched::default();
    let (failing, aborted) = (Arc::clone(&store.fails), Arc::clone(&store.aborted));
    let blobs = shelf(store).objects(&start("s", 1));
    failing.store(true, Ordering::SeqCst);
    let (id, content) = content(ONE_REQUEST + 1);
    let refused = blobs.keep(RUN, id, content).await.unwrap_err().to_string();
    assert!(
        refused.contains("could not write `place/o/s-1/"),
        "{refused}"
    );
    assert_eq!(aborted.load(Ordering::SeqCst), 1);
    let left = blobs.shelf.list(NAMES, None).await.unwrap();
    assert_eq!(left, []);
}

#[tokio::test]
async fn uploads_of_earlier_starts_are_listed_and_no_others() {
    let (shelves, _dir) = shelves();
    for shelf in shelves {
        let mut earlier = Vec::new();
        for epoch in [1, 2, 10, 11, 12] {
            let blobs = shelf.objects(&start("s", epoch));
            for _ in 0..3 {
                let name = name(&blobs, INLINE_MAX + 1).await;
                earlier.extend((epoch < 11).then_some(name.key));
            }
        }
        name(&shelf.objects(&start("other", 1)), INLINE_MAX + 1).await;
        earlier.sort_unstable();
        let blobs = shelf.objects(&start("s", 11));
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let names = blobs.earlier_names(after).await.unwrap();
            let Some(last) = names.last().cloned() else {
                break;
            };
            found.extend(names);
            after = Some(last);
        }
        assert_eq!(found, earlier);
    }
}
