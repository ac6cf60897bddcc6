//! The kinds of faults.

use e2e::{Maker, Release};

use crate::clock;
use crate::random::Random;
use crate::scenario::NODES;
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
    /// A SuperNode is stopped in order, and started again.
    Restart,
    /// The SuperLink stands still for longer than its leases (SIGSTOP), as in a suspended machine.
    Freeze,
    /// The clock of the SuperLink's machine is set.
    Clock,
    /// A SuperNode is not on the list of keys for a while.
    List,
    /// A stored object is damaged: a bit flips, the file is cut, or is gone.
    Damage,
    /// The disk is full while the ServerApp prints.
    Print,
    /// The SuperLink or a SuperNode is killed, in a federation whose SuperNodes are of several
    /// releases.
    Releases,
    /// Any of those in [`Kind::MIXED`], one after the other.
    Mixed,
    /// The programs of an earlier commit are replaced by ours and back, one daemon at a time.
    Upgrade,
}

impl Kind {
    /// All that are of one sort.
    pub(crate) const PURE: [Self; 13] = [
        Self::Superlink,
        Self::Supernode,
        Self::Both,
        Self::Cut,
        Self::Stall,
        Self::Disk,
        Self::Restart,
        Self::Freeze,
        Self::Clock,
        Self::List,
        Self::Damage,
        Self::Print,
        Self::Releases,
    ];
    /// Those that are over within seconds and spoil no run: they can hit one federation in turns.
    pub(crate) const MIXED: [Self; 6] = [
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
            Self::Restart => "restart",
            Self::Freeze => "freeze",
            Self::Clock => "clock",
            Self::List => "list",
            Self::Damage => "damage",
            Self::Print => "print",
            Self::Releases => "releases",
            Self::Mixed => "mixed",
            Self::Upgrade => "upgrade",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let all = || Self::PURE.into_iter().chain([Self::Mixed, Self::Upgrade]);
        let names: Vec<&str> = all().map(Self::name).collect();
        all()
            .find(|kind| kind.name() == name)
            .unwrap_or_else(|| panic!("{name:?} is no kind of fault: there are {names:?}"))
    }

    /// Why it cannot be done, here and now, if so.
    pub(crate) fn obstacle(self) -> Option<&'static str> {
        if self.needs_small_disk() && !state::can_mount() {
            return Some("no small filesystem can be mounted: be root, or use `unshare -rm`");
        }
        if self == Self::Clock && clock::library().is_none() {
            return Some("libfaketime is not there: install the package faketime");
        }
        if self == Self::Upgrade && std::env::var_os("FLOWER_EARLIER").is_none() {
            return Some("FLOWER_EARLIER names no folder with earlier programs");
        }
        None
    }

    /// The share of all faults: those that take a minute are few.
    const fn share(self) -> usize {
        match self {
            Self::Freeze => 1,
            Self::Releases => 2,
            Self::List | Self::Restart | Self::Damage => 4,
            _ => 8,
        }
    }

    /// Shares so many faults among all kinds.
    pub(crate) fn shared(faults: usize) -> Vec<(Self, usize)> {
        let all: usize = Self::PURE.into_iter().map(Self::share).sum();
        let of = |kind: Self| (kind, (faults * kind.share()).div_ceil(all));
        Self::PURE.into_iter().map(of).collect()
    }

    /// Whether a run may fail by it, as long as the reason is told and no digit is wrong.
    pub(crate) fn may_fail_runs(self) -> bool {
        self == Self::Damage
    }

    /// Whose SuperNodes there are.
    pub(crate) fn supernodes(self) -> Vec<Maker> {
        let pips = [Release::V1_22, Release::V1_31].map(Maker::Pip);
        match self {
            Self::Releases => vec![Maker::Ours, pips[0], pips[1], Maker::Ours],
            Self::Upgrade => vec![Maker::Earlier; NODES],
            _ => vec![Maker::Ours; NODES],
        }
    }

    /// Whose SuperLink there is at the beginning.
    pub(crate) const fn superlink(self) -> Maker {
        match self {
            Self::Upgrade => Maker::Earlier,
            _ => Maker::Ours,
        }
    }

    /// The rounds of a run. SuperNodes of pip's ask for messages every few seconds only.
    pub(crate) const fn rounds(self) -> usize {
        match self {
            Self::Releases => 6,
            _ => 20,
        }
    }

    /// Whether the ServerApp prints all the time.
    pub(crate) fn is_noisy(self) -> bool {
        self == Self::Print
    }

    /// What to do next.
    pub(crate) fn next(self, random: &mut Random) -> Self {
        match self {
            Self::Mixed => random.of(&Self::MIXED),
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
            Self::Both | Self::Stall | Self::Disk | Self::Restart | Self::Clock | Self::Print => 2,
            Self::Freeze | Self::List | Self::Damage | Self::Releases | Self::Upgrade => 1,
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
    pub(crate) const fn needs_small_disk(self) -> bool {
        matches!(self, Self::Disk | Self::Print | Self::Mixed)
    }
}

#[test]
fn each_kind_has_its_share() {
    for faults in [1, 100, 1000] {
        let shared = Kind::shared(faults);
        assert_eq!(shared.len(), Kind::PURE.len());
        assert!(shared.iter().all(|(_, share)| *share > 0));
        assert!(shared.iter().map(|(_, share)| share).sum::<usize>() >= faults);
    }
}
