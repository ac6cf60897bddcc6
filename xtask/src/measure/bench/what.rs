//! The rows of the table.

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Round,
    RoundReused,
    RoundFresh,
    Load(Load),
    Peak,
    IdleSuperlink,
    IdleSupernode,
    IdleSuperlinkAll,
    IdleSupernodeAll,
    Start,
}

/// A load that the generator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) nodes: Nodes,
}

/// What the nodes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// They ask when there is nothing, and are answered at once.
    Polls,
    /// A round of many nodes with a small model.
    ManySmall,
    /// A round of a few nodes with a large model.
    FewLarge,
}

/// Where the SuperLink keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Memory,
    Sqlite,
}

/// Whose SuperNodes the generator plays: they differ in how often they sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nodes {
    /// Each call has a signature of its own.
    Pip,
    /// A signature serves for two minutes.
    Ours,
}

impl Nodes {
    pub(super) const ALL: [Self; 2] = [Self::Pip, Self::Ours];

    /// As the load generator's `--signatures`.
    pub(super) const fn signatures(self) -> &'static str {
        match self {
            Self::Pip => "single",
            Self::Ours => "reused",
        }
    }
}

impl State {
    pub(super) const ALL: [Self; 2] = [Self::Memory, Self::Sqlite];
}

impl Load {
    fn all() -> impl Iterator<Item = Self> {
        let kinds = [Kind::Polls, Kind::ManySmall, Kind::FewLarge];
        let loads = |kind, nodes| State::ALL.map(|state| Self { kind, state, nodes });
        let nodes = Nodes::ALL.into_iter();
        nodes.flat_map(move |nodes| kinds.into_iter().flat_map(move |kind| loads(kind, nodes)))
    }

    fn name(self) -> String {
        let kind = match self.kind {
            Kind::Polls => "polls without a hold",
            Kind::ManySmall => "round of 50 nodes x 100 KB",
            Kind::FewLarge => "round of 10 nodes x 10 MB",
        };
        let state = match self.state {
            State::Memory => "memory",
            State::Sqlite => "SQLite",
        };
        let nodes = match self.nodes {
            Nodes::Pip => "pip's nodes",
            Nodes::Ours => "our nodes",
        };
        format!("{kind}, {nodes}, {state}")
    }
}

impl What {
    /// All rows, in their order.
    pub(super) fn all() -> Vec<Self> {
        let mut all = vec![Self::Round, Self::RoundFresh, Self::RoundReused];
        all.extend(Load::all().map(Self::Load));
        all.extend([
            Self::Peak,
            Self::IdleSuperlink,
            Self::IdleSupernode,
            Self::IdleSuperlinkAll,
            Self::IdleSupernodeAll,
            Self::Start,
        ]);
        all
    }

    /// Its name, and its unit.
    pub(super) fn name(self) -> (String, &'static str) {
        let (name, unit) = match self {
            Self::Round => ("round of a Python app, fit and evaluate, 2 nodes", "s"),
            Self::RoundReused => ("the same, ours with --clientapp-reuse run", "s"),
            Self::RoundFresh => ("the same, ours with --clientapp-start fresh", "s"),
            Self::Load(load) => return (load.name(), load.unit()),
            Self::Peak => ("SuperLink's peak in 10 x 10 MB, memory", "MB"),
            Self::IdleSuperlink => ("idle SuperLink", "MB"),
            Self::IdleSupernode => ("idle SuperNode", "MB"),
            Self::IdleSuperlinkAll => ("idle SuperLink and its children", "MB"),
            Self::IdleSupernodeAll => ("idle SuperNode and its children", "MB"),
            Self::Start => ("start to serving", "s"),
        };
        (name.to_owned(), unit)
    }

    pub(super) const fn more_is_better(self) -> bool {
        matches!(self, Self::Load(load) if matches!(load.kind, Kind::Polls))
    }

    /// Whose figure of pip's stands beside this row: pip's has one way to run ClientApps.
    pub(super) const fn of_pip(self) -> Self {
        match self {
            Self::RoundReused | Self::RoundFresh => Self::Round,
            what => what,
        }
    }
}

impl Load {
    const fn unit(self) -> &'static str {
        match self.kind {
            Kind::Polls => "/s",
            Kind::ManySmall | Kind::FewLarge => "s",
        }
    }
}
