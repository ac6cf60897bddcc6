//! The combinations of our programs and pip's that the matrix tries.

use e2e::{Federation, Maker, Plan, Release, Security};

/// Which of pip's programs is tried with which of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Our SuperLink, pip's SuperNodes and ServerApp of the time before `flwr run`.
    SuperLinkAndOldest,
    /// Our SuperLink, pip's SuperNodes.
    SuperLinkAndSuperNode,
    /// Our SuperLink, pip's `flwr`.
    SuperLinkAndCli,
    /// Our SuperLink, pip's `flwr-serverapp`.
    SuperLinkAndServerApp,
    /// Our SuperNodes, pip's SuperLink.
    SuperNodeAndSuperLink,
    /// Our SuperNodes, pip's `flwr-clientapp`.
    SuperNodeAndClientApp,
    /// Our `flwr`, pip's SuperLink.
    CliAndSuperLink,
}

/// One of ours and one of pip's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Combination {
    pub(crate) kind: Kind,
    pub(crate) release: Release,
}

/// How the two speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// In plaintext.
    Insecure,
    /// Over TLS.
    Tls,
    /// Over TLS, with the keys of SuperNodes on a list.
    TlsAndAuth,
    /// As app processes do: on this machine, in plaintext, with a token.
    Token,
}

/// The combinations of versions before 1.13, of those before 1.15, and of all later ones.
const OLDEST: [Kind; 1] = [Kind::SuperLinkAndOldest];
const OLDER: [Kind; 2] = [Kind::SuperLinkAndSuperNode, Kind::SuperLinkAndServerApp];
const LATER: [Kind; 6] = [
    Kind::SuperLinkAndSuperNode,
    Kind::SuperLinkAndCli,
    Kind::SuperLinkAndServerApp,
    Kind::SuperNodeAndSuperLink,
    Kind::SuperNodeAndClientApp,
    Kind::CliAndSuperLink,
];

impl Combination {
    /// All combinations with this version.
    pub(crate) fn all(release: Release) -> Vec<Self> {
        let combination = |kind| Self { kind, release };
        let kinds = if release < Release::V1_13 {
            &OLDEST[..]
        } else if release < Release::V1_15 {
            &OLDER[..]
        } else {
            &LATER[..]
        };
        kinds.iter().copied().map(combination).collect()
    }

    /// Whether its nodes prove who they are by a secret that they share with the SuperLink.
    pub(crate) fn is_of_shared_secrets(self) -> bool {
        let nodes = [Kind::SuperLinkAndOldest, Kind::SuperLinkAndSuperNode];
        nodes.contains(&self.kind) && self.release < Release::V1_15
    }

    /// Its line in the table.
    pub(crate) fn title(self) -> String {
        let (ours, theirs) = self.kind.programs();
        format!("our {ours} with pip's {theirs} {}", self.release.number())
    }

    /// The ways in which the two can speak; the last is the most protected.
    pub(crate) fn protections(self) -> &'static [Protection] {
        match self.kind {
            Kind::SuperLinkAndServerApp | Kind::SuperNodeAndClientApp => &[Protection::Token],
            // Authentication came with 1.9.
            Kind::SuperLinkAndOldest if self.release.number() == "1.8.0" => {
                &[Protection::Insecure, Protection::Tls]
            }
            _ => &[
                Protection::Insecure,
                Protection::Tls,
                Protection::TlsAndAuth,
            ],
        }
    }

    /// The federation in which the two meet.
    pub(crate) fn plan(self, protection: Protection) -> Plan {
        let security = match protection {
            Protection::Insecure | Protection::Token => Security::Insecure,
            Protection::Tls => Security::Tls,
            Protection::TlsAndAuth => Security::TlsAndAuth,
        };
        let pip = Maker::Pip(self.release);
        let with_apps = Maker::OursWith(self.release);
        let plan = Federation::plan(security);
        match self.kind {
            Kind::SuperLinkAndOldest => plan.nodes(0),
            Kind::SuperLinkAndSuperNode => plan.supernodes([pip, pip]),
            Kind::SuperLinkAndCli => plan,
            Kind::SuperLinkAndServerApp => plan.superlink(with_apps),
            Kind::SuperNodeAndSuperLink => plan.superlink(pip).supernodes([with_apps, with_apps]),
            Kind::SuperNodeAndClientApp => plan.supernodes([with_apps, with_apps]),
            Kind::CliAndSuperLink => plan.superlink(pip).supernodes([pip, pip]),
        }
    }

    /// Whose `flwr` is used.
    pub(crate) fn flwr(self) -> Maker {
        match self.kind {
            Kind::SuperLinkAndCli | Kind::SuperNodeAndSuperLink => Maker::Pip(self.release),
            _ => Maker::Ours,
        }
    }

    /// Why the two do not work together, where that is known.
    pub(crate) fn known(self) -> Option<&'static str> {
        let release = self.release;
        match self.kind {
            Kind::SuperLinkAndSuperNode if release == Release::V1_19 => Some(
                "1.19 alone sends lists of objects in a layout of its own, and nothing by which its \
                 nodes could be told from later ones; pip's later SuperLinks do not serve it either",
            ),
            Kind::SuperLinkAndCli if release <= Release::V1_15 => Some(
                "its `flwr run --stream` wants the call for the log to be cancelled at the end, which \
                 later ones take for a failure; without --stream, and in all other commands, it works",
            ),
            Kind::SuperLinkAndServerApp if release == Release::V1_19 => {
                Some("1.19 alone packs arrays and lists of objects in a way of its own")
            }
            Kind::SuperNodeAndSuperLink if release <= Release::V1_19 => {
                Some("our SuperNode speaks the wire of 1.20 and later: messages as objects")
            }
            Kind::SuperNodeAndClientApp if release <= Release::V1_19 => {
                Some("its flwr-clientapp has a token that is a number, and calls of its own for it")
            }
            _ => None,
        }
    }
}

impl Kind {
    /// All.
    pub(crate) const ALL: [Self; 6] = LATER;
    /// Those in which earlier versions are served.
    pub(crate) const OF_THE_SUPERLINK: [Self; 3] = [
        Self::SuperLinkAndOldest,
        Self::SuperLinkAndSuperNode,
        Self::SuperLinkAndServerApp,
    ];

    const fn programs(self) -> (&'static str, &'static str) {
        match self {
            Self::SuperLinkAndOldest => (
                "flower-superlink",
                "flower-client-app or flower-supernode, and flower-server-app",
            ),
            Self::SuperLinkAndSuperNode => ("flower-superlink", "flower-supernode"),
            Self::SuperLinkAndCli => ("flower-superlink", "flwr"),
            Self::SuperLinkAndServerApp => ("flower-superlink", "flwr-serverapp"),
            Self::SuperNodeAndSuperLink => ("flower-supernode", "flower-superlink"),
            Self::SuperNodeAndClientApp => ("flower-supernode", "flwr-clientapp"),
            Self::CliAndSuperLink => ("flwr", "flower-superlink"),
        }
    }
}
