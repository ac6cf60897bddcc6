//! How a state logs in: over TLS, with a password, and at a server that can keep the state.

use std::net::Ipv4Addr;
use std::path::Path;

use flwr_core::cause::chain;
use flwr_postgres::{Pair, Server};
use flwr_security::testing::Files;
use rcgen::date_time_ymd;

use super::*;
use crate::in_time::in_time;
use crate::store::postgres::connect::Connector;
use crate::store::{PasswordSource, Unfit};

const PASSWORD: &str = "s3cret-of-the-lab";

/// A server with a certificate for `localhost`, and a user with a password.
struct Encrypted {
    files: Files,
    server: Server,
    address: Ipv4Addr,
}

impl Encrypted {
    /// The certificate is over where `is_expired`.
    async fn start(is_expired: bool) -> Self {
        let files = Files::new();
        let _ = files.server(|params| {
            if is_expired {
                params.not_before = date_time_ymd(2020, 1, 1);
                params.not_after = date_time_ymd(2021, 1, 1);
            }
        });
        let read = |name| std::fs::read_to_string(files.path(name)).unwrap();
        // Nobody else has the address.
        let address = Ipv4Addr::new(127, rand::random(), rand::random(), 2);
        let server = Server::start_encrypted(address, &read("server.pem"), &read("server.key"));
        let sql = format!("ALTER ROLE flwr PASSWORD '{PASSWORD}'");
        let client = client(&server, "public").await;
        client.batch_execute(&sql).await.unwrap();
        Self {
            files,
            server,
            address,
        }
    }

    /// Logs in at this host name, trusting these certificates.
    async fn log_in(&self, host: &str, roots: &Path, password: &str) -> Result<(), PostgresError> {
        let file = self.files.write("password.key", password);
        let url = format!(
            "postgres://flwr@{host}/postgres?hostaddr={}&sslrootcert={}&channel_binding=require",
            self.address,
            roots.display()
        );
        let address = PostgresUrl::parse(&format!("{url}&sslmode=verify-full")).unwrap();
        let source = PasswordSource::File(file);
        PostgresState::inspect(&address.with_password(&source).unwrap()).await
    }
}

fn why(refused: Result<(), PostgresError>) -> String {
    chain(&refused.unwrap_err())
}

#[tokio::test]
async fn a_server_is_believed_by_its_certificate_only() {
    let server = Encrypted::start(false).await;
    let (own, other) = (server.files.path("ca.crt"), Files::new());
    server.log_in("localhost", &own, PASSWORD).await.unwrap();
    let text = why(server
        .log_in("localhost", &other.path("ca.crt"), PASSWORD)
        .await);
    assert!(
        text.contains("signed by a CA that is not trusted"),
        "{text}"
    );
    let text = why(server.log_in("db.example.org", &own, PASSWORD).await);
    assert!(text.contains("is not for db.example.org"), "{text}");
    let expired = Encrypted::start(true).await;
    let own = expired.files.path("ca.crt");
    let text = why(expired.log_in("localhost", &own, PASSWORD).await);
    assert!(text.contains("has expired"), "{text}");
}

#[tokio::test]
async fn a_server_without_tls_is_sent_nothing() {
    let server = Encrypted::start(false).await;
    let client = client(&server.server, "public").await;
    client
        .batch_execute("ALTER SYSTEM SET ssl = off")
        .await
        .unwrap();
    let reload = "SELECT pg_reload_conf(), current_setting('ssl')";
    let is_reloaded = async {
        while client
            .query_one(reload, &[])
            .await
            .unwrap()
            .get::<_, &str>(1)
            != "off"
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time("the server has its new settings", is_reloaded).await;
    let own = server.files.path("ca.crt");
    let text = why(server.log_in("localhost", &own, PASSWORD).await);
    assert!(text.contains("does not support TLS"), "{text}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_repeated() {
    let server = Encrypted::start(false).await;
    let own = server.files.path("ca.crt");
    let wrong = "another-s3cret";
    let refused = server.log_in("localhost", &own, wrong).await.unwrap_err();
    let told = format!("{} {refused:?}", chain(&refused));
    assert!(told.contains("password authentication failed"), "{told}");
    assert!(!told.contains("s3cret"), "{told}");
}

#[tokio::test]
async fn a_server_that_loses_what_it_has_acknowledged_is_refused() {
    let server = Server::start_with(&["fsync = off"]);
    let refused = PostgresState::open(&url_of(server.dir(), "public"), NOON).await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(
            &refused,
            PostgresError::Unfit {
                why: Unfit::NoSync,
                ..
            }
        ),
        "{refused:?}"
    );
    assert!(refused.to_string().contains(&Unfit::NoSync.to_string()));
}

#[tokio::test]
async fn a_commit_is_on_disk_when_it_is_answered_whatever_the_server_was_told() {
    let sessions = async |setting: &str| {
        let server = Server::of_this_process();
        let role = format!("role_{setting}");
        let sql = format!(
            "CREATE ROLE {role} LOGIN; ALTER ROLE {role} SET synchronous_commit = {setting}"
        );
        client(server, "public")
            .await
            .batch_execute(&sql)
            .await
            .unwrap();
        let url = flwr_postgres::url_at(server.dir()).replace("flwr@", &format!("{role}@"));
        let pool = Connector::of(&PostgresUrl::parse(&url).unwrap())
            .unwrap()
            .pool();
        let connection = pool.get().await.unwrap();
        let found = connection.query_one("SHOW synchronous_commit", &[]).await;
        found.unwrap().get::<_, String>(0)
    };
    assert_eq!(sessions("off").await, "on");
    assert_eq!(sessions("local").await, "on");
    assert_eq!(sessions("remote_apply").await, "remote_apply");
}

#[tokio::test]
async fn of_several_hosts_the_one_that_can_be_written_is_used() {
    let standby = Server::start_with(&["default_transaction_read_only = on"]);
    let (primary, schema) = (
        Server::of_this_process(),
        schema(Server::of_this_process()).await,
    );
    let place = |dir: &Path| flwr_postgres::url_at(dir);
    let (first, second) = (place(standby.dir()), place(primary.dir()));
    let hosts = |url: &str| {
        url.split_once('@')
            .unwrap()
            .1
            .split_once('/')
            .unwrap()
            .0
            .to_owned()
    };
    let url = format!(
        "postgres://flwr@{},{}/postgres?options=-c%20search_path%3D{schema}",
        hosts(&first),
        hosts(&second)
    );
    let state = PostgresState::open(&PostgresUrl::parse(&url).unwrap(), NOON)
        .await
        .unwrap();
    state.try_to_write().await.unwrap();
    state.close().await;
    let alone = PostgresState::open(&PostgresUrl::parse(&first).unwrap(), NOON).await;
    assert!(
        matches!(alone, Err(PostgresError::Unreachable { .. })),
        "{alone:?}"
    );
}

#[tokio::test]
async fn an_asynchronous_standby_is_told_of() {
    let pair = Pair::start();
    let address = server::place(pair.primary()).await;
    let state = PostgresState::open(&address, NOON).await.unwrap();
    assert!(state.warnings().await.unwrap().is_empty());
    for sql in [
        "ALTER SYSTEM RESET synchronous_standby_names",
        "SELECT pg_reload_conf()",
    ] {
        pair.primary().ask(sql).unwrap();
    }
    let told = async {
        loop {
            let told = state.warnings().await.unwrap();
            if !told.is_empty() {
                return told;
            }
            tokio::task::yield_now().await;
        }
    };
    let told = in_time("the server has read its configuration", told).await;
    assert!(told[0].contains("synchronous_standby_names"), "{told:?}");
}
