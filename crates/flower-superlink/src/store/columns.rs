//! Names of columns that the databases share.

use flwr_core::run::Phase;

/// The columns of a message, in the order in which each backend reads and writes them, but for `reply_to`.
pub(super) const MESSAGE: &str =
    "run, id, src, dst, grp, ttl, type, created_at, error_code, error_reason";
/// How many those are.
pub(super) const MESSAGE_COLUMNS: usize = 10;

/// The column with the moment at which a run came into this phase.
pub(super) const fn since(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "pending_at",
        Phase::Starting => "starting_at",
        Phase::Running => "running_at",
        Phase::Finished(_) => "finished_at",
    }
}

/// How many runs there are of each phase.
pub(super) const PHASES: &str = "SELECT phase, count(*) FROM run GROUP BY phase";
/// How many whole instructions without a reply are taken and are not, and when the oldest was made.
pub(super) const UNANSWERED: &str = "SELECT count(*) FILTER (WHERE taken),
       count(*) FILTER (WHERE NOT taken), min(created_at)
     FROM instruction WHERE reply IS NULL AND missing = 0";
