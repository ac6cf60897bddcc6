//! Tasks: what one process does for a run. A process proves by the task's token what it works on.

use crate::id::{RunId, TaskId};
use crate::time::Timestamp;

/// A task, as the SuperLink knows it. Of its token the SuperLink keeps a hash only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The run that it belongs to.
    pub run: RunId,
    /// What its process does.
    pub kind: TaskKind,
    /// When its token was issued. `None`: nobody has claimed it.
    pub claimed_at: Option<Timestamp>,
}

/// What the process of a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// It runs the ServerApp.
    ServerApp,
}

impl TaskKind {
    /// The name under which a state keeps the kind.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServerApp => "serverapp",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        [Self::ServerApp]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

impl Task {
    /// The task of a run's ServerApp, which nobody has claimed.
    #[must_use]
    pub const fn of_serverapp(run: RunId) -> Self {
        Self {
            id: TaskId::of_serverapp(run),
            run,
            kind: TaskKind::ServerApp,
            claimed_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_name() {
        let kind = TaskKind::ServerApp;
        assert_eq!(TaskKind::find(kind.name()), Some(kind));
        assert_eq!(TaskKind::find("simulation"), None);
    }
}
