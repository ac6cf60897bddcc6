//! What is not imported, and what each refusal says.

use flwr_core::cause::chain;
use rusqlite::Connection;

use super::*;

/// Says why a state is not imported.
async fn why(site: &Site, import: &Import) -> String {
    let refused = site.new_place().import(import, &|_| {}).await;
    let error = refused.unwrap_err();
    assert!(!error.is_usage());
    // Nothing is in the database, whatever was wrong.
    let found = crate::store::PostgresState::look(&site.address).await;
    assert!(
        matches!(found, Ok(crate::store::postgres::audit::Found::Nothing)),
        "{found:?}"
    );
    chain(&error)
}

fn must_say(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[tokio::test]
async fn a_file_that_is_none_or_in_use_or_of_others_is_refused_with_the_way_out() {
    let site = Site::new().await;
    let file = |name: &str| Import {
        file: site.dir.path().join(name),
        storage: None,
    };
    let text = why(&site, &file("none.db")).await;
    must_say(&text, &["none.db` holds no state", "--database of the old"]);
    assert!(!site.dir.path().join("none.db.lock").exists());
    fs::write(file("empty.db").file, "").unwrap();
    must_say(&why(&site, &file("empty.db")).await, &["holds no state"]);
    fs::write(file("notes").file, "these are notes, and no database").unwrap();
    let text = why(&site, &file("notes")).await;
    must_say(&text, &["--import", "not a SQLite database"]);
    let other = Connection::open(file("other.db").file).unwrap();
    other
        .execute_batch("CREATE TABLE notes (text TEXT)")
        .unwrap();
    let text = why(&site, &file("other.db")).await;
    must_say(&text, &["another program's SQLite database"]);
    let opened = open(&site.old()).await.unwrap();
    let text = why(&site, &site.import()).await;
    let pid = format!("pid {}", std::process::id());
    must_say(
        &text,
        &[
            "is in use by a flower-superlink",
            &pid,
            "stop that one first",
        ],
    );
    drop(opened);
}

#[tokio::test]
async fn a_newer_or_damaged_file_is_refused_with_the_way_out() {
    let site = Site::new().await;
    let file = site.import().file;
    let change = |sql: &str| Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    let version: i64 = Connection::open(&file)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    change("PRAGMA user_version = 901; UPDATE link SET oldest = 901");
    let text = why(&site, &site.import()).await;
    must_say(
        &text,
        &["schema version 901", "use the newer flower-superlink"],
    );
    change(&format!(
        "PRAGMA user_version = {version}; UPDATE link SET oldest = 6"
    ));
    change("INSERT INTO task (id, run, kind) VALUES (1, 1, 'serverapp')");
    let text = why(&site, &site.import()).await;
    must_say(
        &text,
        &[
            "1 tasks of runs that are not known",
            "--check-state",
            "--repair",
        ],
    );
    change("DELETE FROM task WHERE run = 1; UPDATE object SET referrers = referrers + 1");
    let text = why(&site, &site.import()).await;
    must_say(&text, &["do not fit together", "objects that count others"]);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(7);
    fs::write(&file, bytes).unwrap();
    must_say(&why(&site, &site.import()).await, &["is damaged", "backup"]);
}

#[tokio::test]
async fn files_that_are_elsewhere_or_lost_or_damaged_are_named() {
    let site = Site::new().await;
    let old = site.dir.path().join("state.db.storage");
    let moved = site.dir.path().join("moved");
    fs::rename(&old, &moved).unwrap();
    let text = why(&site, &site.import()).await;
    must_say(&text, &["state.db.storage`", "--import-storage-dir"]);
    fs::create_dir(&old).unwrap();
    fs::write(old.join("owner"), "another\n").unwrap();
    let text = why(&site, &site.import()).await;
    must_say(&text, &["another state (another)", "--import-storage-dir"]);
    let there = Import {
        storage: Some(moved.clone()),
        ..site.import()
    };
    let mut objects = files(&moved.join("objects"));
    objects.sort_unstable_by_key(|(_, bytes)| bytes.len());
    // A small object is read with the rows, a large one before them.
    let (small, large) = (objects[0].clone(), objects.pop().unwrap());
    for (path, bytes) in [small, large] {
        fs::write(&path, "other bytes").unwrap();
        let text = why(&site, &there).await;
        must_say(&text, &[&path, "is damaged", "--check-state --repair"]);
        assert_eq!(blobs(&site), 0);
        fs::remove_file(&path).unwrap();
        must_say(&why(&site, &there).await, &[&path, "is missing"]);
        fs::write(&path, bytes).unwrap();
    }
    let imported = site.new_place().import(&there, &|_| {}).await;
    assert_eq!(imported.unwrap().named, 5);
    assert_eq!(blobs(&site), 5);
}

/// The bytes that stand under names.
fn blobs(site: &Site) -> usize {
    let all = files(&site.storage().join("o"));
    all.iter()
        .filter(|(path, _)| !path.contains("/owner/"))
        .count()
}

#[tokio::test]
async fn a_database_with_a_state_or_a_superlink_and_the_storage_of_the_file_are_refused() {
    let site = Site::new().await;
    let old = site.dir.path().join("state.db.storage");
    let same = Places {
        storage: Storage::Dir(old.join("../state.db.storage")),
        ..site.new_place()
    };
    let refused = same.import(&site.import(), &|_| {}).await.unwrap_err();
    assert!(refused.is_usage());
    must_say(
        &chain(&refused),
        &["--storage-dir", "give another directory"],
    );
    let refused = site
        .old()
        .import(&site.import(), &|_| {})
        .await
        .unwrap_err();
    assert!(refused.is_usage());
    must_say(&chain(&refused), &["--database postgres://"]);
    let opened = open(&site.new_place()).await.unwrap();
    let refused = site.imported().await.unwrap_err();
    must_say(&chain(&refused), &["is in use by another flower-superlink"]);
    opened.state.close().await;
    drop(opened);
    let refused = site.imported().await.unwrap_err();
    must_say(&chain(&refused), &["holds a state already", "search_path"]);
}
