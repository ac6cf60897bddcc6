//! What must be true of the rows of a state in every moment between two transactions.

use super::server::client_at;
use crate::store::PostgresUrl;
use crate::store::postgres::audit::RULES;

/// Recomputes from the rows what other rows say.
pub(in crate::store) async fn audit(address: &PostgresUrl) {
    let client = client_at(address).await;
    for (wrong, sql) in RULES {
        let found: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
        assert_eq!(found, 0, "{wrong}");
    }
}
