use std::os::unix::fs::PermissionsExt;

use super::*;

pub(in crate::objects) async fn keeps_and_forgets(store: &dyn ObjectBytes) {
    let content = Bytes::from_static(b"some bytes");
    let id = ObjectId::of(&content);
    assert_eq!(store.get(&id).await.unwrap(), None);
    store.delete(&id).await.unwrap();
    store.put(id, content.clone()).await.unwrap();
    store.put(id, content.clone()).await.unwrap();
    assert_eq!(store.get(&id).await.unwrap(), Some(content.clone()));
    store.delete(&id).await.unwrap();
    assert_eq!(
        store.get(&id).await.unwrap(),
        Some(content),
        "still held once"
    );
    store.delete(&id).await.unwrap();
    assert_eq!(store.get(&id).await.unwrap(), None);
}

fn empty(dir: &Path) -> Files {
    Files::open(dir, []).unwrap().0
}

#[tokio::test]
async fn files_keep_and_forget() {
    let dir = tempfile::tempdir().unwrap();
    keeps_and_forgets(&empty(dir.path())).await;
}

#[tokio::test]
async fn what_is_held_outlives_the_store_and_the_rest_goes() {
    let dir = tempfile::tempdir().unwrap();
    let (kept, other) = (Bytes::from_static(b"kept"), Bytes::from_static(b"other"));
    let (id, left, lost) = (
        ObjectId::of(&kept),
        ObjectId::of(&other),
        ObjectId::of(b"lost"),
    );
    let store = empty(&dir.path().join("objects"));
    store.put(id, kept.clone()).await.unwrap();
    store.put(left, other).await.unwrap();
    assert_eq!(store.used(), 9);
    let file = store.path_of(&id);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let leftover = file.with_extension("7.tmp");
    fs::write(&leftover, b"half").unwrap();

    let (again, restored) = Files::open(&dir.path().join("objects"), [(id, 2), (lost, 1)]).unwrap();
    let expected = Restored {
        kept: 1,
        removed: 2,
        missing: vec![lost],
    };
    assert_eq!(restored, expected);
    assert!(!leftover.exists(), "a crash's leftover is removed");
    assert_eq!(again.used(), 4);
    assert_eq!(again.get(&left).await.unwrap(), None);
    assert_eq!(again.get(&id).await.unwrap(), Some(kept));
    again.delete(&id).await.unwrap();
    assert!(file.exists(), "held once more");
    again.delete(&id).await.unwrap();
    assert!(!file.exists());
    assert_eq!(again.used(), 0);
}

fn flawed(id: ObjectId, flaw: Flaw) -> Option<Flawed> {
    Some(Flawed { id, flaw })
}

/// Changes the file, whatever its process has seen of it, and leaves length and time as they
/// were: bits flip without a trace.
fn flip(path: &Path) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut content = fs::read(path).unwrap();
    content[0] ^= 1;
    fs::write(path, content).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(modified).unwrap();
}

#[tokio::test]
async fn a_file_that_changed_is_not_given_out_and_can_be_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let content = Bytes::from_static(b"as it was");
    let id = ObjectId::of(&content);
    empty(dir.path()).put(id, content.clone()).await.unwrap();
    fs::write(path_in(dir.path(), &id), b"as it wasn't").unwrap();
    let (store, _) = Files::open(dir.path(), [(id, 1)]).unwrap();
    let damaged = flawed(id, Flaw::Damaged);
    assert_eq!(store.find_flaw(vec![id]).await.unwrap(), damaged);
    let error = store.get(&id).await.unwrap_err();
    assert!(error.to_string().contains(&id.to_string()), "{error}");
    store.put(id, content.clone()).await.unwrap();
    assert_eq!(store.find_flaw(vec![id]).await.unwrap(), None);
    assert_eq!(store.get(&id).await.unwrap(), Some(content));
}

#[tokio::test]
async fn a_bit_that_flips_after_the_file_was_written_or_read_is_found_at_the_next_read() {
    let dir = tempfile::tempdir().unwrap();
    let content = Bytes::from_static(b"as it was");
    let id = ObjectId::of(&content);
    let store = empty(dir.path());
    store.put(id, content.clone()).await.unwrap();
    assert_eq!(store.get(&id).await.unwrap(), Some(content.clone()));
    flip(&path_in(dir.path(), &id));
    let error = store.get(&id).await.unwrap_err();
    assert!(matches!(error, Error::Flawed(_)), "{error}");
    // Once the damage is known, the look without a read finds it too.
    let damaged = flawed(id, Flaw::Damaged);
    assert_eq!(store.find_flaw(vec![id]).await.unwrap(), damaged);
    store.put(id, content.clone()).await.unwrap();
    assert_eq!(store.get(&id).await.unwrap(), Some(content));
}

#[tokio::test]
async fn a_file_that_is_cut_or_gone_is_found_without_a_read_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = empty(dir.path());
    let contents = [&b"good"[..], b"cut", b"gone"].map(Bytes::from_static);
    let ids = contents.each_ref().map(|content| ObjectId::of(content));
    for (id, content) in ids.into_iter().zip(contents.clone()) {
        store.put(id, content).await.unwrap();
    }
    assert_eq!(store.find_flaw(ids.to_vec()).await.unwrap(), None);
    let [good, cut, gone] = ids;
    let path = path_in(dir.path(), &cut);
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(1).unwrap();
    fs::remove_file(path_in(dir.path(), &gone)).unwrap();
    let found = store.find_flaw(vec![good, cut]).await.unwrap();
    assert_eq!(found, flawed(cut, Flaw::Damaged));
    let found = store.find_flaw(vec![good, gone]).await.unwrap();
    assert_eq!(found, flawed(gone, Flaw::Lost));
    assert_eq!(store.get(&gone).await.unwrap(), None);
    // A new holder brings the bytes with it.
    store.put(gone, contents[2].clone()).await.unwrap();
    assert_eq!(store.get(&gone).await.unwrap().unwrap(), contents[2]);
}

#[tokio::test]
async fn a_directory_that_is_away_may_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("objects");
    let content = Bytes::from_static(b"content");
    let id = ObjectId::of(&content);
    let store = empty(&place);
    store.put(id, content.clone()).await.unwrap();
    fs::rename(&place, dir.path().join("away")).unwrap();
    let error = store.get(&id).await.unwrap_err();
    assert!(matches!(error, Error::Failed { .. }), "{error}");
    assert!(store.find_flaw(vec![id]).await.is_err());
    assert!(store.try_to_write().await.is_err(), "nothing can be stored");
    fs::rename(dir.path().join("away"), &place).unwrap();
    store.try_to_write().await.unwrap();
    let left = fs::read_dir(&place).unwrap().count();
    assert_eq!(left, 1, "the folder of the object");
    assert_eq!(store.get(&id).await.unwrap(), Some(content));
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Files::open(&file.join("objects"), []).unwrap_err();
    assert!(error.to_string().contains("file/objects"), "{error}");
}

/// A store with one object that nobody holds any more, deleted while `pause` is held.
struct Postponed {
    _dir: tempfile::TempDir,
    objects: PathBuf,
    pause: Pause,
    store: Files,
    id: ObjectId,
}

impl Postponed {
    fn open(objects: &Path, pause: &Pause) -> Files {
        Files::open_pausable(objects, [], pause.clone()).unwrap().0
    }

    async fn delete_within(paused: &Paused, dir: tempfile::TempDir, pause: Pause) -> Self {
        let _ = paused;
        let objects = dir.path().join("objects");
        let store = Self::open(&objects, &pause);
        let content = Bytes::from_static(b"content");
        let id = ObjectId::of(&content);
        store.put(id, content).await.unwrap();
        store.delete(&id).await.unwrap();
        store.delete_postponed().await.unwrap();
        Self {
            _dir: dir,
            objects,
            pause,
            store,
            id,
        }
    }

    fn is_there(&self) -> bool {
        path_in(&self.objects, &self.id).exists()
    }
}

fn begin(pause: &Pause) -> Option<Paused> {
    pause.begin(std::time::Duration::ZERO).unwrap()
}

#[tokio::test]
async fn nothing_is_deleted_in_a_pause_and_everything_after_the_pause() {
    let dir = tempfile::tempdir().unwrap();
    let pause = Pause::at(dir.path().join("lock"));
    let paused = begin(&pause).unwrap();
    assert!(begin(&pause).is_none(), "one copy at a time");
    let postponed = Postponed::delete_within(&paused, dir, pause).await;
    assert!(postponed.is_there());
    assert_eq!(postponed.store.used(), 7, "the bytes still take space");
    drop(paused);
    postponed.store.delete_postponed().await.unwrap();
    assert!(!postponed.is_there());
    assert_eq!(postponed.store.used(), 0);
}

#[tokio::test]
async fn an_object_that_comes_again_in_a_pause_stays_after_the_pause() {
    let dir = tempfile::tempdir().unwrap();
    let pause = Pause::at(dir.path().join("lock"));
    let paused = begin(&pause).unwrap();
    let postponed = Postponed::delete_within(&paused, dir, pause).await;
    let content = Bytes::from_static(b"content");
    postponed.store.put(postponed.id, content).await.unwrap();
    drop(paused);
    postponed.store.delete_postponed().await.unwrap();
    assert!(postponed.is_there(), "held by who stored the object again");
    postponed.store.delete(&postponed.id).await.unwrap();
    assert!(!postponed.is_there());
}

#[tokio::test]
async fn a_store_that_opens_in_a_pause_removes_the_rest_of_a_crash_after_the_pause() {
    let dir = tempfile::tempdir().unwrap();
    let pause = Pause::at(dir.path().join("lock"));
    let paused = begin(&pause).unwrap();
    let postponed = Postponed::delete_within(&paused, dir, pause).await;
    let half = path_in(&postponed.objects, &postponed.id).with_extension("7.tmp");
    fs::write(&half, b"half").unwrap();
    let opened = Files::open_pausable(&postponed.objects, [], postponed.pause.clone());
    let (again, restored) = opened.unwrap();
    assert_eq!((restored.kept, restored.removed), (0, 1), "{restored:?}");
    assert!(!half.exists(), "no copy needs half a file");
    assert!(postponed.is_there());
    drop(paused);
    again.delete_postponed().await.unwrap();
    assert!(!postponed.is_there());
}
