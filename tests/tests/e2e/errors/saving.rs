//! The chapter about backups, on the state that the SuperLink of the chapter before has left.

use std::fs;

use super::Page;

pub(super) fn backups(page: &mut Page<'_>) {
    page.chapter("Backup and restore");
    let user = page.user;
    let state = user.home().join("local/superlink");
    fs::rename(state, user.scratch.path().join("flower")).unwrap();
    refused_backups(page);
    user.does(
        user.scratch.path(),
        "flower-superlink --backup saved --database flower/state.db",
    );
    refused_restores(page);
    let database = user.scratch.path().join("saved/state-1.db");
    let mut bytes = fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&database, bytes).unwrap();
    page.error(
        "A byte of the backup changed.",
        "flower-superlink --restore saved --database new/state.db",
        1,
    );
}

fn refused_backups(page: &mut Page<'_>) {
    page.error(
        "The state is in memory.",
        "flower-superlink --backup saved --database :memory:",
        2,
    );
    page.error(
        "A database server has tools of its own.",
        "flower-superlink --backup saved --database postgres://db/flower --storage-dir objects",
        2,
    );
    page.error(
        "The database is not there.",
        "flower-superlink --backup saved --database nowhere.db",
        1,
    );
    page.error(
        "The folder has other files.",
        "flower-superlink --backup app --database flower/state.db",
        1,
    );
}

fn refused_restores(page: &mut Page<'_>) {
    page.error(
        "The folder has no backup.",
        "flower-superlink --restore nowhere --database new/state.db",
        1,
    );
    page.error(
        "A state is in the place already.",
        "flower-superlink --restore saved --database flower/state.db",
        1,
    );
}
