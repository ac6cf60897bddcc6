//! The kinds of faults.

use e2e::{Maker, Release};

use crate::clock;
use crate::random::Random;
use crate::report::HEAVY_EVERY;
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
    /// One of several SuperLinks is killed, and started again after a while.
    OneOfThree,
    /// Each of them is, one after the other.
    AllInTurn,
    /// One of them stands still for some seconds (SIGSTOP).
    Stutter,
    /// One of them that has no ServerApp stands still for two minutes, as in a suspended machine.
    Pause,
    /// The database server of several SuperLinks is restarted or killed, or ends their sessions.
    Postgres,
    /// It is killed for good, and its synchronous standby is promoted.
    Failover,
    /// The sessions are ended that hear what other SuperLinks tell.
    ListenCut,
    /// The bucket answers with errors, is slow, or breaks off.
    S3,
    /// Any of those in [`Kind::MIXED_OF_THREE`], one after the other.
    MixedOfThree,
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

    /// Those of a federation with several SuperLinks.
    pub(crate) const OF_THREE: [Self; 9] = [
        Self::OneOfThree,
        Self::AllInTurn,
        Self::Stutter,
        Self::Pause,
        Self::Postgres,
        Self::Failover,
        Self::ListenCut,
        Self::S3,
        Self::MixedOfThree,
    ];
    /// Those of them that are over within seconds.
    pub(crate) const MIXED_OF_THREE: [Self; 7] = [
        Self::OneOfThree,
        Self::AllInTurn,
        Self::Stutter,
        Self::Postgres,
        Self::ListenCut,
        Self::S3,
        Self::Cut,
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
            Self::OneOfThree => "one-of-three",
            Self::AllInTurn => "all-in-turn",
            Self::Stutter => "stutter",
            Self::Pause => "pause",
            Self::Postgres => "postgres",
            Self::Failover => "failover",
            Self::ListenCut => "listen-cut",
            Self::S3 => "s3",
            Self::MixedOfThree => "mixed-of-three",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let others = [Self::Mixed, Self::Upgrade];
        let all = || Self::PURE.into_iter().chain(others).chain(Self::OF_THREE);
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
            Self::OneOfThree => 24,
            Self::Freeze | Self::Pause => 1,
            Self::Releases | Self::Failover => 2,
            Self::List | Self::Restart | Self::Damage | Self::AllInTurn => 4,
            _ => 8,
        }
    }

    /// Shares so many faults among these kinds.
    pub(crate) fn share_out(kinds: &[Self], faults: usize) -> Vec<(Self, usize)> {
        let all: usize = kinds.iter().map(|kind| kind.share()).sum();
        let of = |kind: &Self| (*kind, (faults * kind.share()).div_ceil(all));
        kinds.iter().map(of).collect()
    }

    /// Whether it is one of those of a federation with several SuperLinks.
    pub(crate) fn is_of_three(self) -> bool {
        Self::OF_THREE.contains(&self)
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
            kind if kind.is_of_three() => vec![Maker::Ours, pips[0], pips[0], Maker::Ours],
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
    pub(crate) fn rounds(self) -> usize {
        match self {
            Self::Releases => 6,
            Self::MixedOfThree => 8,
            kind if kind.is_of_three() => 12,
            _ => 20,
        }
    }

    /// Each so many rounds a large array travels along: the bucket gets nothing else.
    pub(crate) fn heavy_every(self) -> usize {
        if self.is_of_three() { 1 } else { HEAVY_EVERY }
    }

    /// Whether the ServerApp prints all the time.
    pub(crate) fn is_noisy(self) -> bool {
        self == Self::Print
    }

    /// What to do next.
    pub(crate) fn next(self, random: &mut Random) -> Self {
        match self {
            Self::Mixed => random.of(&Self::MIXED),
            Self::MixedOfThree => random.of(&Self::MIXED_OF_THREE),
            pure => pure,
        }
    }

    /// How many are made in each of so many rounds, to reach a count. Rounds must be able to end
    /// between faults: Flower's processes wait longer and longer, up to 20 s, before they try
    /// again.
    pub(crate) const fn in_a_round(self, faults: usize, rounds: usize) -> usize {
        let most = match self {
            Self::Cut => 5,
            Self::Superlink | Self::Supernode | Self::Mixed | Self::ListenCut => 3,
            Self::Both | Self::Stall | Self::Disk | Self::Restart | Self::Clock | Self::Print => 2,
            Self::OneOfThree | Self::Stutter | Self::S3 | Self::MixedOfThree => 2,
            Self::Freeze | Self::List | Self::Damage | Self::Releases | Self::Upgrade => 1,
            Self::AllInTurn | Self::Pause | Self::Postgres | Self::Failover => 1,
        };
        // Some more than its share: faults take time, and the run does not wait for them.
        let share = (faults + faults / 2).div_ceil(rounds);
        if share < most { share } else { most }
    }

    /// Whether SuperNodes connect through a proxy.
    pub(crate) fn needs_proxy(self) -> bool {
        matches!(self, Self::Cut | Self::Stall | Self::Mixed) || self.is_of_three()
    }

    /// Whether the SuperLink's state is on a disk that can be filled.
    pub(crate) const fn needs_small_disk(self) -> bool {
        matches!(self, Self::Disk | Self::Print | Self::Mixed)
    }
}

#[test]
fn each_kind_has_its_share() {
    for faults in [1, 100, 1000] {
        for kinds in [&Kind::PURE as &[Kind], &Kind::OF_THREE] {
            let shared = Kind::share_out(kinds, faults);
            assert_eq!(shared.len(), kinds.len());
            assert!(shared.iter().all(|(_, share)| *share > 0));
            assert!(shared.iter().map(|(_, share)| share).sum::<usize>() >= faults);
        }
    }
}
