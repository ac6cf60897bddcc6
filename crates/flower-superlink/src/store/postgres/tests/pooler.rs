//! A pooler before the server: PgBouncer, as Debian has it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use flwr_core::cause::chain;
use flwr_postgres::{Server, url_at};
use rustix::process::geteuid;
use tempfile::TempDir;

use super::*;
use crate::store::Unfit;

/// A running PgBouncer.
struct Pooler {
    dir: TempDir,
    process: Child,
}

impl Pooler {
    async fn start(server: &Path, mode: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let config = path.join("pgbouncer.ini");
        let text = format!(
            "[databases]\npostgres = user=flwr dbname=postgres host={}\n[pgbouncer]\n\
             listen_port = 5432\nunix_socket_dir = {}\nauth_type = any\npool_mode = {mode}\n\
             ignore_startup_parameters = options\n",
            server.display(),
            path.display()
        );
        fs::write(&config, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        // It refuses to run as root.
        let mut command = match geteuid().is_root() {
            false => Command::new("pgbouncer"),
            true => {
                let owner = fs::metadata(server).unwrap();
                chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
                let mut other = Command::new("setpriv");
                other.args([
                    "--reuid=postgres",
                    "--regid=postgres",
                    "--clear-groups",
                    "pgbouncer",
                ]);
                other
            }
        };
        let process = command
            .arg(&config)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("PgBouncer is not installed: `apt-get install pgbouncer`");
        let begins = async {
            while !path.join(".s.PGSQL.5432").exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        in_time("PgBouncer serves", begins).await;
        Self { dir, process }
    }

    fn address(&self) -> PostgresUrl {
        PostgresUrl::parse(&url_at(self.dir.path())).unwrap()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_pooler_that_swallows_notifications_is_named_at_the_start() {
    let server = Server::start();
    let pooler = Pooler::start(server.dir(), "transaction").await;
    let refused = PostgresState::open(&pooler.address(), NOON)
        .await
        .unwrap_err();
    assert!(
        matches!(
            &refused,
            PostgresError::Unfit {
                why: Unfit::Deaf,
                ..
            }
        ),
        "{refused:?}"
    );
    let text = chain(&refused);
    assert!(text.contains("PgBouncer"), "{text}");
    let checked = PostgresState::inspect(&pooler.address()).await.unwrap_err();
    assert!(chain(&checked).contains("PgBouncer"), "{checked:?}");
    let client = client(&server, "public").await;
    let tables = client
        .query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'", &[])
        .await;
    assert!(tables.unwrap().is_empty(), "something was made");
}

#[tokio::test]
async fn a_pooler_in_session_mode_is_as_good_as_the_server() {
    let server = Server::start();
    let pooler = Pooler::start(server.dir(), "session").await;
    PostgresState::inspect(&pooler.address()).await.unwrap();
    let state = open(&pooler.address()).await;
    world(&state).running().await;
    state
        .append_log(RUN, "line\n".to_owned(), NOON)
        .await
        .unwrap();
    assert_eq!(log(&state).await, ["line\n"]);
    state.close().await;
}
