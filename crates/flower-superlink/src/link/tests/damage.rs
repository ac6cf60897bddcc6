//! Bytes that are lost or damaged on disk: an error reply takes the place of their message, or the
//! run fails. Nobody is left waiting, and nobody gets other bytes.

use std::fs;
use std::path::PathBuf;

use flwr_core::message::ErrorCode;
use flwr_core::object::Pulled;
use flwr_daemon::objects::{Files, path_in};
use tempfile::TempDir;

use super::*;

/// A federation whose bytes are in files.
struct OnDisk {
    federation: Federation,
    dir: TempDir,
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Flip,
    /// A flip that leaves length and time of the file as they were, as a disk does it.
    SilentFlip,
    Cut,
    Loss,
}

const SEEN: [Harm; 3] = [Harm::Flip, Harm::Cut, Harm::Loss];

impl Harm {
    fn happen_to(self, file: &PathBuf) {
        if self == Self::Loss {
            return fs::remove_file(file).unwrap();
        }
        let before = fs::metadata(file).unwrap().modified().unwrap();
        let mut content = fs::read(file).unwrap();
        match self {
            Self::Cut => drop(content.pop()),
            _ => content[0] ^= 1,
        }
        fs::write(file, content).unwrap();
        let modified = match self {
            Self::SilentFlip => before,
            // Ticks of a file system's clock are too long for a test.
            _ => before + Duration::from_secs(1),
        };
        let file = fs::File::options().write(true).open(file).unwrap();
        file.set_modified(modified).unwrap();
    }
}

impl OnDisk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = |name| Arc::new(Files::open(&dir.path().join(name), []).unwrap().0);
        let (objects, fabs) = (files("objects"), files("fabs"));
        let state = Arc::new(MemoryState::default());
        let federation = Federation::with_bytes(state, None, objects, fabs);
        Self { federation, dir }
    }

    fn harm(&self, object: ObjectId, harm: Harm) {
        harm.happen_to(&path_in(&self.dir.path().join("objects"), &object));
    }

    async fn replies(&self, run: RunId, asked: &Mail) -> Vec<Parcel> {
        let link = &self.federation.link;
        let replies = link.replies(run, &[Some(asked.id())], Duration::ZERO).await;
        replies.unwrap()
    }

    /// The only reply, which is an error that names the object and can be pulled and confirmed.
    async fn error_about(&self, run: RunId, asked: &Mail, object: ObjectId) -> ErrorCode {
        let replies = self.replies(run, asked).await;
        let [Parcel { message, tree }] = &replies[..] else {
            panic!("one reply is there: {replies:?}");
        };
        let Body::Error { code, reason } = &message.body else {
            panic!("the reply is an error");
        };
        assert!(reason.contains(&object.to_string()), "{reason}");
        assert_eq!(message.metadata.reply_to, Some(asked.id()));
        let (link, id) = (&self.federation.link, message.metadata.id);
        assert_eq!(tree, &ObjectTree::leaf(id));
        let pulled = link.pull_object(run, id).await.unwrap();
        assert!(matches!(pulled, Pulled::There(_)), "{pulled:?}");
        link.confirm(run, id).await.unwrap();
        let codes = [ErrorCode::MessageUnavailable, ErrorCode::ReplyUnavailable];
        codes
            .into_iter()
            .find(|known| *known as i64 == *code)
            .unwrap()
    }

    async fn claim(&self, node: NodeId) -> Option<ObjectId> {
        let claimed = self.federation.link.claim(node, Duration::ZERO).await;
        Some(claimed.unwrap()?.message.metadata.id)
    }

    async fn failed_because_of(&self, run: RunId, what: &str) {
        let status = self.federation.link.known_run(run).await.unwrap().status;
        assert_eq!(status.phase, Phase::Finished(Outcome::Failed));
        assert!(status.details.contains(what), "{}", status.details);
        let mut log = String::new();
        let mut after = Timestamp::ZERO;
        while let Some(entry) = self
            .federation
            .link
            .next_log(run, after, usize::MAX)
            .await
            .unwrap()
        {
            log += &entry.text;
            after = entry.at;
        }
        assert!(log.contains(what), "{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_takes_the_place_of_a_reply_that_is_damaged_or_lost() {
    for harm in SEEN {
        let disk = OnDisk::new();
        let federation = &disk.federation;
        let (node, run) = (federation.node().await, federation.running().await);
        let asked = federation.send(run, node, "model").await;
        disk.claim(node).await.unwrap();
        let reply = federation.answer(run, &asked, "reply").await;
        let content = reply.objects[0].id;
        disk.harm(content, harm);
        let code = disk.error_about(run, &asked, content).await;
        assert_eq!(code, ErrorCode::ReplyUnavailable, "{harm:?}");
        assert_eq!(
            federation.link.space().await.unwrap().objects,
            0,
            "{harm:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_instruction_that_is_damaged_or_lost_is_answered_and_the_node_gets_the_next() {
    for harm in SEEN {
        let disk = OnDisk::new();
        let federation = &disk.federation;
        let (node, run) = (federation.node().await, federation.running().await);
        let asked = federation.send(run, node, "model").await;
        let next = federation.send(run, node, "next").await;
        let content = asked.objects[0].id;
        disk.harm(content, harm);
        assert_eq!(disk.claim(node).await, Some(next.id()), "{harm:?}");
        let code = disk.error_about(run, &asked, content).await;
        assert_eq!(code, ErrorCode::MessageUnavailable, "{harm:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_serverapp_that_waits_hears_at_once_that_its_instruction_is_lost() {
    let disk = OnDisk::new();
    let federation = &disk.federation;
    let (node, run) = (federation.node().await, federation.running().await);
    let asked = federation.send(run, node, "model").await;
    disk.harm(asked.objects[0].id, Harm::Loss);
    let (link, id) = (Arc::clone(&federation.link), asked.id());
    let begun = Instant::now();
    let waits = tokio::spawn(async move { link.replies(run, &[Some(id)], Duration::MAX).await });
    tokio::task::yield_now().await;
    assert_eq!(disk.claim(node).await, None);
    let replies = waits.await.unwrap().unwrap();
    assert!(matches!(replies[0].message.body, Body::Error { .. }));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn damage_that_shows_only_when_an_object_is_read_fails_the_run() {
    for of_reply in [false, true] {
        let disk = OnDisk::new();
        let federation = &disk.federation;
        let (node, run) = (federation.node().await, federation.running().await);
        let asked = federation.send(run, node, "model").await;
        disk.claim(node).await.unwrap();
        let object = if of_reply {
            federation.answer(run, &asked, "reply").await.objects[0].id
        } else {
            asked.objects[0].id
        };
        disk.harm(object, Harm::SilentFlip);
        let refused = federation.link.pull_object(run, object).await.unwrap_err();
        let phase = Phase::Finished(Outcome::Failed);
        assert!(
            matches!(refused, Error::Refused(Refusal::RunIs { phase: found, .. }) if found == phase),
            "{refused}"
        );
        disk.failed_because_of(run, &object.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fab_that_is_damaged_or_lost_fails_the_runs_that_need_it() {
    for harm in [Harm::Flip, Harm::SilentFlip, Harm::Cut, Harm::Loss] {
        let disk = OnDisk::new();
        let link = &disk.federation.link;
        let start = || link.start_run(bundle(), UserConfig::new(), &Principal::Anybody);
        let run = start().await.unwrap();
        let token = link.issue_token(run).await.unwrap().unwrap();
        let hash = link.known_run(run).await.unwrap().fab_hash;
        let file = path_in(&disk.dir.path().join("fabs"), &hash.parse().unwrap());
        harm.happen_to(&file);
        let refused = inputs_of(link, token.as_str()).await.unwrap_err();
        assert!(
            matches!(
                refused,
                Error::Refused(Refusal::RunIs { .. } | Refusal::UnknownToken)
            ),
            "{harm:?}: {refused}"
        );
        disk.failed_because_of(run, &hash).await;
        // The same app again brings its bundle with it.
        let run = start().await.unwrap();
        let token = link.issue_token(run).await.unwrap().unwrap();
        inputs_of(link, token.as_str()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_away_is_a_matter_of_trying_again() {
    let disk = OnDisk::new();
    let federation = &disk.federation;
    let (node, run) = (federation.node().await, federation.running().await);
    let asked = federation.send(run, node, "model").await;
    let (objects, away) = (
        disk.dir.path().join("objects"),
        disk.dir.path().join("away"),
    );
    fs::rename(&objects, &away).unwrap();
    let failed = federation
        .link
        .claim(node, Duration::ZERO)
        .await
        .unwrap_err();
    assert!(matches!(failed, Error::Bytes(_)), "{failed}");
    let failed = federation.link.pull_object(run, asked.objects[0].id).await;
    assert!(matches!(failed, Err(Error::Bytes(_))));
    fs::rename(&away, &objects).unwrap();
    assert_eq!(disk.claim(node).await, Some(asked.id()));
    let pulled = federation.link.pull_object(run, asked.objects[0].id).await;
    assert_eq!(
        pulled.unwrap(),
        Pulled::There(asked.objects[0].bytes.clone())
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_known_whether_anything_can_be_stored() {
    let disk = OnDisk::new();
    let link = &disk.federation.link;
    link.try_to_write().await;
    assert!(link.can_write());
    let (objects, away) = (
        disk.dir.path().join("objects"),
        disk.dir.path().join("away"),
    );
    fs::rename(&objects, &away).unwrap();
    link.try_to_write().await;
    assert!(!link.can_write());
    fs::rename(&away, &objects).unwrap();
    link.try_to_write().await;
    assert!(link.can_write());
}
