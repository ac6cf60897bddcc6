//! A bucket of a real server, and the way to it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use flwr_bucket::{BUCKET, Fault, KEY_ID, Proxy, SECRET, Server};

use super::super::bucket::{Bucket, BucketUrl};
use super::whole::{Site, play};
use super::*;
use crate::error::Error as LinkError;
use crate::link::state::Parcel;
use crate::link::tests::Mail;
use crate::store::postgres::tests::audit::audit;

/// How long a call waits for a bucket that is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// A prefix of the bucket that no other test has.
pub(in crate::store) fn bucket(at: SocketAddr, secret: &str) -> (Bucket, TempDir) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let dir = tempfile::tempdir().unwrap();
    let credentials = dir.path().join("credentials");
    let text = format!("aws_access_key_id = {KEY_ID}\naws_secret_access_key = {secret}\n");
    fs::write(&credentials, text).unwrap();
    fs::set_permissions(&credentials, fs::Permissions::from_mode(0o600)).unwrap();
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let url = format!("s3://{BUCKET}/test/{number}?region=us-east-1&endpoint=http://{at}");
    let bucket = Bucket {
        url: BucketUrl::parse(&url).unwrap(),
        credentials: Some(credentials),
        roots: None,
        cache: CACHE,
        apps: None,
        superlink: "a".to_owned(),
    };
    (bucket, dir)
}

/// A shelf in the bucket.
pub(super) fn bucket_shelf(at: SocketAddr) -> Shelf {
    let (bucket, _dir) = bucket(at, SECRET);
    Shelf::new(bucket.store_within(PATIENCE).unwrap(), "bucket", CACHE).in_bucket()
}

#[tokio::test]
async fn a_bucket_answers_a_probe_or_says_why_not() {
    let at = Server::of_this_process().address();
    let (good, _dir) = bucket(at, SECRET);
    good.try_all().await.unwrap();
    let (stranger, _dir) = bucket(at, "another secret");
    let refused = flwr_core::cause::chain(&stranger.try_all().await.unwrap_err());
    assert!(refused.contains("SignatureDoesNotMatch"), "{refused}");
    assert!(!refused.contains("another secret"), "{refused}");
    let url = format!("s3://not-there?endpoint=http://{at}");
    let lost = Bucket {
        url: BucketUrl::parse(&url).unwrap(),
        ..good
    };
    let refused = flwr_core::cause::chain(&lost.try_all().await.unwrap_err());
    assert!(refused.contains("s3://not-there"), "{refused}");
}

#[tokio::test]
async fn a_bucket_that_fails_for_a_while_costs_time_only() {
    let proxy = Proxy::start(Server::of_this_process().address()).await;
    let shelf = bucket_shelf(proxy.address());
    let blobs = shelf.objects(&start("s", 1));
    let faults = [
        Fault::Status(500),
        Fault::Status(503),
        Fault::Cut(0),
        Fault::Cut(5_000),
        Fault::Slow(Duration::from_millis(200)),
    ];
    for fault in faults {
        for size in [100_000, ONE_REQUEST + 1] {
            let (id, content) = content(size);
            proxy.fail(fault, Some(2));
            let name = name(&blobs, size).await;
            assert!(proxy.failed() > 0, "{fault:?}");
            shelf.cache.forget(&name.key);
            proxy.fail(fault, Some(2));
            let read = blobs.read(&id, &Blob::Named(name.clone())).await;
            assert_eq!(read.unwrap(), Some(content), "{fault:?}");
            assert!(proxy.failed() > 0, "{fault:?}");
            proxy.fail(fault, Some(2));
            // A deletion whose answer is lost is not sent again at once: the next sweep does it.
            let mut sweeps = 1;
            while !blobs.sweep(vec![name.key.clone()]).await.left.is_empty() {
                sweeps += 1;
            }
            assert!(sweeps <= 3, "{fault:?}: {sweeps}");
        }
    }
    assert_eq!(shelf.list(NAMES, None).await.unwrap(), []);
}

#[tokio::test]
async fn an_answer_of_somebody_else_is_no_proof_that_bytes_are_lost() {
    let proxy = Proxy::start(Server::of_this_process().address()).await;
    let shelf = bucket_shelf(proxy.address());
    let blobs = shelf.objects(&start("s", 1));
    for size in [100_000, ONE_REQUEST + 1] {
        let (id, _) = content(size);
        let blob = Blob::Named(name(&blobs, size).await);
        let Blob::Named(name) = &blob else {
            unreachable!()
        };
        shelf.cache.forget(&name.key);
        // A proxy in maintenance, say.
        proxy.fail(Fault::Status(404), None);
        let refused = blobs.read(&id, &blob).await;
        assert!(matches!(refused, Err(Error::Failed { .. })), "{refused:?}");
        let refused = shelf.claim_of("s", "database").await;
        assert!(matches!(refused, Err(Error::Failed { .. })), "{refused:?}");
        proxy.fail(Fault::None, None);
        assert!(blobs.read(&id, &blob).await.unwrap().is_some());
        // The server itself says so.
        blobs.sweep(vec![name.key.clone()]).await;
        assert_eq!(blobs.read(&id, &blob).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_no_proof_that_bytes_are_lost() {
    let at = Server::of_this_process().address();
    let (good, _dir) = bucket(at, SECRET);
    let url = format!("s3://not-there?endpoint=http://{at}");
    let lost = Bucket {
        url: BucketUrl::parse(&url).unwrap(),
        ..good
    };
    let store = lost.store_within(PATIENCE).unwrap();
    let blobs = Shelf::new(store, "lost", CACHE)
        .in_bucket()
        .objects(&start("s", 1));
    let (id, _) = content(100);
    let (key, size) = ("o/s-1/1/1".to_owned(), 100);
    let refused = blobs.read(&id, &Blob::Named(BlobName { key, size })).await;
    assert!(matches!(refused, Err(Error::Failed { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_bucket_that_stays_away_stops_large_objects_only_and_nothing_is_lost() {
    let proxy = Proxy::start(Server::of_this_process().address()).await;
    let site = Site::new(bucket_shelf(proxy.address())).await;
    let (federation, _) = site.start().await;
    let (run, node) = (federation.running().await, federation.node().await);
    proxy.fail(Fault::Status(503), None);
    // What stands in the database goes on.
    federation.send(run, node, "small").await;
    let large = Mail::new(run, &"m".repeat(3 * INLINE_MAX), |metadata| {
        flwr_core::message::Metadata {
            dst: node,
            ..metadata
        }
    });
    let Parcel { message, tree } = large.parcel.clone();
    let sent = federation
        .link
        .send(run, vec![Parcel { message, tree }])
        .await;
    let missing = sent.unwrap().missing;
    let [object] = &large
        .objects_of(&missing)
        .filter(|object| object.bytes.len() > INLINE_MAX)
        .collect::<Vec<_>>()[..]
    else {
        panic!("{missing:?}");
    };
    let push = async || {
        let bytes = object.bytes.clone();
        federation.link.push_object(run, object.id, bytes).await
    };
    let refused = push().await.unwrap_err();
    assert!(matches!(refused, LinkError::Bytes(_)), "{refused}");
    audit(&site.address).await;
    proxy.fail(Fault::None, None);
    assert!(push().await.unwrap());
    audit(&site.address).await;
    play(&site, &federation, 3 * INLINE_MAX).await;
}
