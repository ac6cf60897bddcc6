//! What must be true of the rows of a state in every moment between two transactions.

use super::server::client_at;
use crate::store::PostgresUrl;
use crate::store::postgres::audit::RULES;

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
