//! What must be true of the rows of a state in every moment between two transactions.

use super::server::{self, client_at};
use crate::store::battery::world::NOON;
use crate::store::postgres::audit::RULES;
use crate::store::{PostgresState, PostgresUrl};

/// Recomputes from the rows what other rows say.
pub(in crate::store) async fn audit(address: &PostgresUrl) {
    let client = client_at(address).await;
    // One question: the model asks after most of its steps.
    let counts: Vec<_> = RULES.iter().map(|(_, sql)| format!("({sql})")).collect();
    let sql = format!("SELECT {}", counts.join(", "));
    let found = client.query_one(&sql, &[]).await.unwrap();
    for (column, (wrong, _)) in RULES.iter().enumerate() {
        assert_eq!(found.get::<_, i64>(column), 0, "{wrong}");
    }
}

#[tokio::test]
async fn an_audit_takes_as_long_as_there_are_objects_and_no_longer() {
    let address = server::place(flwr_postgres::Server::of_this_process()).await;
    PostgresState::open(&address, NOON).await.unwrap();
    let client = client_at(&address).await;
    // Each of 4,000 models is made of the same 100 objects, and 4,000 messages wait for an object.
    let run = 1_i64;
    for sql in [
        "INSERT INTO object (run, id, children, available, referrers)
           SELECT $1, sha256(leaf::text::bytea), '', false, 4000 FROM generate_series(1, 100) AS leaf",
        "INSERT INTO object (run, id, children, available, referrers)
           SELECT $1, sha256(('model ' || model)::bytea), leaves, false, 0
           FROM generate_series(1, 4000) AS model,
             (SELECT string_agg(sha256(leaf::text::bytea), '') AS leaves
              FROM generate_series(1, 100) AS leaf) AS leaves",
        "INSERT INTO awaited (run, object, message)
           SELECT $1, sha256('1'), sha256(message::text::bytea)
           FROM generate_series(1, 4000) AS message",
        "INSERT INTO reply (run, id, src, dst, grp, ttl, type, created_at, missing)
           SELECT $1, sha256(message::text::bytea), 1, 1, '', 1, '', 1, 1
           FROM generate_series(101, 4000) AS message",
        "UPDATE object SET referrers = referrers + 1
           WHERE run = $1 AND id IN (SELECT id FROM reply)",
    ] {
        client.execute(sql, &[&run]).await.unwrap();
    }
    // Once for each object would take minutes.
    client.batch_execute("ANALYZE").await.unwrap();
    for (wrong, sql) in RULES {
        client
            .batch_execute("SET statement_timeout = '20s'")
            .await
            .unwrap();
        let found = client.query_one(sql, &[]).await.unwrap();
        assert_eq!(found.get::<_, i64>(0), 0, "{wrong}");
    }
    // And each rule still finds what it is for.
    let less = "UPDATE object SET referrers = referrers - 1 WHERE id = sha256('1')";
    client.batch_execute(less).await.unwrap();
    let (wrong, sql) = RULES[RULES.len() - 1];
    let found = client.query_one(sql, &[]).await.unwrap();
    assert_eq!(found.get::<_, i64>(0), 1, "{wrong}");
}
