//! The kinds of faults.

use crate::random::Random;
use crate::state;

/// What is done to a federation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The SuperLink is killed and started again.
    Superlink,
    /// A SuperNode is.
    Supernode,
    /// Both, at the same moment.
    Both,
    /// Connections of SuperNodes are cut.
    Cut,
    /// They stay, but carry nothing for a while.
    Stall,
    /// The disk that the SuperLink writes to is full for a while.
    Disk,
    /// Any of these, one after the other.
    Mixed,
}

impl Kind {
    /// All that are of one sort.
    pub(crate) const PURE: [Self; 6] = [
        Self::Superlink,
        Self::Supernode,
        Self::Both,
        Self::Cut,
        Self::Stall,
        Self::Disk,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Superlink => "superlink",
            Self::Supernode => "supernode",
            Self::Both => "both",
            Self::Cut => "cut",
            Self::Stall => "stall",
            Self::Disk => "disk",
            Self::Mixed => "mixed",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let all = || Self::PURE.into_iter().chain([Self::Mixed]);
        let names: Vec<&str> = all().map(Self::name).collect();
        all()
            .find(|kind| kind.name() == name)
            .unwrap_or_else(|| panic!("{name:?} is no kind of fault: there are {names:?}"))
    }

    /// Whether it can be done, here and now.
    pub(crate) fn can(self) -> bool {
        self.obstacle().is_none()
    }

    /// Why it cannot be done, if so.
    pub(crate) fn obstacle(self) -> Option<&'static str> {
        match self {
            Self::Disk if !state::can_mount() => {
                Some("no small filesystem can be mounted: be root, or use `unshare -rm`")
            }
            _ => None,
        }
    }

    /// What to do next.
    pub(crate) fn next(self, random: &mut Random) -> Self {
        match self {
            Self::Mixed => {
                let all: Vec<Self> = Self::PURE.into_iter().filter(|kind| kind.can()).collect();
                random.of(&all)
            }
            pure => pure,
        }
    }

    /// How many are made in each of so many rounds, to reach a count. Rounds must be able to end
    /// between faults: Flower's processes wait longer and longer, up to 20 s, before they try
    /// again.
    pub(crate) const fn in_a_round(self, faults: usize, rounds: usize) -> usize {
        let most = match self {
            Self::Cut => 5,
            Self::Superlink | Self::Supernode | Self::Mixed => 3,
            Self::Both | Self::Stall | Self::Disk => 2,
        };
        // Some more than its share: faults take time, and the run does not wait for them.
        let share = (faults + faults / 2).div_ceil(rounds);
        if share < most { share } else { most }
    }

    /// Whether SuperNodes connect through a proxy.
    pub(crate) const fn needs_proxy(self) -> bool {
        matches!(self, Self::Cut | Self::Stall | Self::Mixed)
    }

    /// Whether the SuperLink's state is on a disk that can be filled.
    pub(crate) fn needs_small_disk(self) -> bool {
        matches!(self, Self::Disk | Self::Mixed) && Self::Disk.can()
    }
}
