//! Folders and places that a backup or a restore refuses, and backups whose bytes changed.

use std::os::unix::fs::symlink;

use super::*;

/// The files below a directory, with their content.
fn tree(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(tree(&path)),
            false => found.push((path.clone(), fs::read(path).unwrap())),
        }
    }
    found.sort();
    found
}

/// A backup of a state with a message, and the sites of both.
async fn saved(scratch: &Scratch) -> (Site, PathBuf) {
    let (site, dir) = (scratch.site("home"), scratch.path("backup"));
    let live = site.begin().await;
    live.send("a model").await;
    site.back_up(&dir).unwrap();
    live.close().await;
    (site, dir)
}

#[tokio::test]
async fn no_backup_is_made_where_a_superlink_keeps_its_objects() {
    let scratch = Scratch::new();
    let (site, _) = saved(&scratch).await;
    let (_, storage) = site.places.files().unwrap();
    let (link, copy) = (scratch.path("link"), scratch.path("copy"));
    symlink(storage, &link).unwrap();
    for (path, content) in tree(storage) {
        let to = copy.join(path.strip_prefix(storage).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, content).unwrap();
    }
    let before = tree(storage);
    for dir in [
        storage.to_owned(),
        storage.join("objects"),
        storage.join("a/new/folder"),
        link.join("another"),
        link,
        copy,
    ] {
        for incremental in [false, true] {
            let error = site.places.back_up(&dir, incremental, NOON).unwrap_err();
            assert!(matches!(error, BackupError::Storage(_)), "{error}");
        }
    }
    assert_eq!(tree(storage), before);
}

#[tokio::test]
async fn the_folder_of_another_superlink_or_with_other_files_is_left_alone() {
    let scratch = Scratch::new();
    let (_, dir) = saved(&scratch).await;
    let before = tree(&dir);
    let other = scratch.site("other");
    other.begin().await.close().await;
    let error = other.add_to(&dir).unwrap_err();
    assert!(matches!(error, BackupError::Other { .. }), "{error}");
    assert_eq!(tree(&dir), before);

    let home = scratch.path("documents");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("thesis.txt"), "years of work").unwrap();
    let error = other.back_up(&home).unwrap_err();
    assert!(matches!(error, BackupError::NotABackup(_)), "{error}");
    assert_eq!(tree(&home).len(), 1);
    let error = other.back_up(&other.dir).unwrap_err();
    assert!(matches!(error, BackupError::NotABackup(_)), "{error}");
    let none = scratch.site("none");
    let error = none.back_up(&scratch.path("new")).unwrap_err();
    assert!(matches!(error, BackupError::NoDatabase(_)), "{error}");
}

#[tokio::test]
async fn nothing_is_restored_onto_a_live_place_or_a_place_that_is_not_empty() {
    let scratch = Scratch::new();
    let (site, dir) = saved(&scratch).await;
    let live = site.places.open(NOON).unwrap();
    let error = site.places.restore(&dir).unwrap_err();
    assert!(
        matches!(error, BackupError::Database(OpenError::Held { .. })),
        "{error}"
    );
    live.state.close().await;
    drop(live);
    let before = tree(&site.dir);
    let error = site.places.restore(&dir).unwrap_err();
    assert!(
        matches!(
            error,
            BackupError::Occupied {
                flag: "--database",
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(tree(&site.dir), before);

    let parts = [
        ("state.db-wal", "--database"),
        ("state.db.storage/owner", "--storage-dir"),
    ];
    for (number, (rest, expected)) in parts.into_iter().enumerate() {
        let other = scratch.site(&format!("other-{number}"));
        let path = other.dir.join(rest);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "of another state").unwrap();
        let error = other.places.restore(&dir).unwrap_err();
        let BackupError::Occupied { flag, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(flag, expected);
        assert!(!other.database().exists());
    }
}

#[tokio::test]
async fn a_flipped_byte_or_a_missing_file_is_found_before_anything_is_in_place() {
    let scratch = Scratch::new();
    let (_, dir) = saved(&scratch).await;
    let files = tree(&dir);
    let counts =
        |path: &Path| !matches!(path.file_name().unwrap().to_str(), Some("lock" | "owner"));
    let mut broken = 0;
    for (path, content) in files.iter().filter(|(path, _)| counts(path)) {
        let mut flipped = content.clone();
        // In the middle of a record of text there is no space.
        let place = flipped.len() / 2;
        flipped[place] ^= 1;
        for damage in [Some(flipped), None] {
            // Another file: the backup shares its bytes with the state.
            fs::remove_file(path).unwrap();
            if let Some(damage) = &damage {
                fs::write(path, damage).unwrap();
            }
            let other = scratch.site(&format!("other-{broken}"));
            let error = other.places.restore(&dir).unwrap_err();
            let is_manifest = path.ends_with("backup.json") && damage.is_none();
            match error {
                BackupError::NoBackup(_) if is_manifest => {}
                BackupError::Damaged { file, .. } => assert_eq!(file, *path),
                error => panic!("{}: {error}", path.display()),
            }
            let left: Vec<_> = tree(&other.dir).into_iter().map(|(path, _)| path).collect();
            let lock = other.dir.join("state.db.lock");
            assert!(left.iter().all(|path| *path == lock), "{left:?}");
            broken += 1;
        }
        fs::write(path, content).unwrap();
    }
    assert_eq!(
        broken,
        2 * 6,
        "the list, the database, three objects and a FAB"
    );
    scratch.site("whole").places.restore(&dir).unwrap();
}

#[tokio::test]
async fn a_damaged_backup_is_made_anew_but_not_added_to() {
    let scratch = Scratch::new();
    let (site, dir) = saved(&scratch).await;
    fs::write(dir.join("backup.json"), "{}").unwrap();
    let error = site.add_to(&dir).unwrap_err();
    assert!(
        matches!(error, BackupError::NothingToAddTo { .. }),
        "{error}"
    );
    site.back_up(&dir).unwrap();
    scratch.site("other").places.restore(&dir).unwrap();
}

#[tokio::test]
async fn one_backup_at_a_time() {
    let scratch = Scratch::new();
    let (site, dir) = saved(&scratch).await;
    let held = folder::Folder::read(&dir).unwrap();
    let error = site.add_to(&dir).unwrap_err();
    assert!(matches!(error, BackupError::InUse(_)), "{error}");
    scratch.site("other").places.restore(&dir).unwrap();
    drop(held);
    site.add_to(&dir).unwrap();
    let _paused = pause_of(&site.database()).begin(Duration::ZERO).unwrap();
    let error = site.places.check(true, NOON).unwrap_err();
    assert!(error.to_string().contains("under way"), "{error}");
    assert!(site.places.check(false, NOON).unwrap().is_clean());
}

#[tokio::test]
async fn a_pipe_in_a_backup_is_damage_and_nothing_waits_for_it() {
    let scratch = Scratch::new();
    let (_, dir) = saved(&scratch).await;
    let files = tree(&dir).into_iter().map(|(path, _)| path);
    for file in files.filter(|file| file.parent() != Some(&dir) || !file.ends_with("owner")) {
        let content = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let error = scratch.site("other").places.restore(&dir).unwrap_err();
        let named = flwr_core::cause::chain(&error).contains(file.to_str().unwrap());
        assert!(named, "{}: {error}", file.display());
        fs::remove_file(&file).unwrap();
        fs::write(&file, content).unwrap();
    }
    scratch.site("other").places.restore(&dir).unwrap();
}

#[tokio::test]
async fn nothing_is_restored_into_the_backup_itself() {
    let scratch = Scratch::new();
    let (_, dir) = saved(&scratch).await;
    let before = tree(&dir);
    let outside = scratch.path("outside");
    for (database, storage, named) in [
        (dir.join("new.db"), outside.join("storage"), "--database"),
        (outside.join("new.db"), dir.join("a/b"), "--storage-dir"),
    ] {
        let places = Places {
            database: Database::File(database),
            storage: Storage::Dir(storage),
        };
        let error = places.restore(&dir).unwrap_err().to_string();
        assert!(error.starts_with(named), "{error}");
    }
    assert_eq!(tree(&dir), before);
    assert!(!outside.exists());
}
