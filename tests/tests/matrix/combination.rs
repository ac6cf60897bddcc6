//! The combinations of our programs and pip's that the matrix tries.

use e2e::{Federation, Isolation, Maker, Plan, Release, Security};

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
    /// Our daemons, pip's app processes, in what goes well and what goes wrong.
    DaemonsAndApps,
    /// Our daemons, and pip's `flower-superexec`, which starts all apps.
    DaemonsAndSuperexec,
}

/// One of ours and one of pip's, or one of now and one of an earlier commit of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Combination {
    pub(crate) kind: Kind,
    pub(crate) release: Release,
    /// Theirs are our own earlier programs, which speak as this release does.
    is_ours: bool,
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

/// The combinations of versions before 1.13, of those before 1.15, and of those to 1.22.
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

/// What is tried of later versions: a few of each, since few releases change a wire.
const NEWER: [(Kind, &[Release]); 8] = [
    (Kind::SuperLinkAndSuperNode, SUPERNODES),
    (Kind::SuperLinkAndCli, CLIS),
    (Kind::SuperLinkAndServerApp, APPS),
    (Kind::SuperNodeAndSuperLink, SUPERLINKS),
    (Kind::SuperNodeAndClientApp, APPS),
    (Kind::CliAndSuperLink, CONTROLS),
    (Kind::DaemonsAndApps, APPS),
    (Kind::DaemonsAndSuperexec, SUPEREXECS),
];
/// What is tried of our own earlier programs.
const EARLIER: [Kind; 4] = [
    Kind::SuperLinkAndSuperNode,
    Kind::SuperLinkAndCli,
    Kind::SuperNodeAndSuperLink,
    Kind::CliAndSuperLink,
];
const SUPERNODES: &[Release] = &[
    Release::V1_23,
    Release::V1_26,
    Release::V1_31,
    Release::V1_36,
    Release::V1_39,
];
const SUPERLINKS: &[Release] = &[
    Release::V1_23,
    Release::V1_26,
    Release::V1_31,
    Release::V1_36,
    Release::V1_39,
    Release::V1_42,
];
const CONTROLS: &[Release] = &[
    Release::V1_23,
    Release::V1_26,
    Release::V1_28,
    Release::V1_31,
    Release::V1_36,
    Release::V1_42,
];
const CLIS: &[Release] = &[
    Release::V1_23,
    Release::V1_26,
    Release::V1_28,
    Release::V1_31,
    Release::V1_36,
];
const APPS: &[Release] = &[
    Release::V1_22,
    Release::V1_23,
    Release::V1_25,
    Release::V1_26,
    Release::V1_29,
    Release::V1_31,
    Release::V1_33,
    Release::V1_34,
];
const SUPEREXECS: &[Release] = &[
    Release::V1_22,
    Release::V1_23,
    Release::V1_26,
    Release::V1_29,
    Release::V1_31,
    Release::V1_34,
];

impl Combination {
    /// All combinations with this version.
    pub(crate) fn all(release: Release) -> Vec<Self> {
        let earlier = if release < Release::V1_13 {
            &OLDEST[..]
        } else if release < Release::V1_15 {
            &OLDER[..]
        } else if release.is_since(23) {
            &[]
        } else {
            &LATER[..]
        };
        let newer = NEWER.iter().filter(|(_, of)| of.contains(&release));
        let newer = newer
            .map(|(kind, _)| *kind)
            .filter(|kind| !earlier.contains(kind));
        let kinds = earlier.iter().copied().chain(newer);
        let of_pips = |kind| Self {
            kind,
            release,
            is_ours: false,
        };
        kinds.map(of_pips).collect()
    }

    /// Those with our own programs of before flwr 1.23 was served.
    pub(crate) fn with_earlier() -> Vec<Self> {
        let of_ours = |kind| Self {
            kind,
            release: Release::V1_22,
            is_ours: true,
        };
        EARLIER.map(of_ours).into()
    }

    /// Whose programs the other ones are.
    const fn theirs(self) -> Maker {
        match self.is_ours {
            true => Maker::Earlier,
            false => Maker::Pip(self.release),
        }
    }

    /// Whether its nodes prove who they are by a secret that they share with the SuperLink.
    pub(crate) fn is_of_shared_secrets(self) -> bool {
        let nodes = [Kind::SuperLinkAndOldest, Kind::SuperLinkAndSuperNode];
        nodes.contains(&self.kind) && self.release < Release::V1_15
    }

    /// Its line in the table.
    pub(crate) fn title(self) -> String {
        let (ours, theirs) = self.kind.programs();
        if self.is_ours {
            return format!("our {ours} with our earlier {theirs}");
        }
        format!("our {ours} with pip's {theirs} {}", self.release.number())
    }

    /// The ways in which the two can speak; the last is the most protected.
    pub(crate) fn protections(self) -> &'static [Protection] {
        match self.kind {
            Kind::SuperLinkAndServerApp
            | Kind::SuperNodeAndClientApp
            | Kind::DaemonsAndApps
            | Kind::DaemonsAndSuperexec => &[Protection::Token],
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
        let pip = self.theirs();
        // The apps of later releases speak HTTP, which our daemons do not.
        let with_apps = Maker::OursWith(self.release.min(Release::V1_34));
        let plan = Federation::plan(security);
        match self.kind {
            Kind::SuperLinkAndOldest => plan.nodes(0),
            Kind::SuperLinkAndSuperNode => plan.supernodes([pip, pip]),
            Kind::SuperLinkAndCli => plan,
            Kind::SuperLinkAndServerApp => plan.superlink(with_apps),
            Kind::SuperNodeAndSuperLink => plan.superlink(pip).supernodes([with_apps, with_apps]),
            Kind::SuperNodeAndClientApp => plan.supernodes([with_apps, with_apps]),
            Kind::CliAndSuperLink => plan.superlink(pip).supernodes([pip, pip]),
            Kind::DaemonsAndApps => plan.superlink(with_apps).supernodes([with_apps]),
            Kind::DaemonsAndSuperexec => {
                let plan = plan.isolation(Isolation::Process).superexec(self.release);
                match self.release.is_since(29) {
                    true => plan.superexec_secret(),
                    false => plan,
                }
            }
        }
    }

    /// Whose `flwr` is used.
    pub(crate) fn flwr(self) -> Maker {
        match self.kind {
            // From 1.37 on it speaks HTTP alone.
            Kind::SuperNodeAndSuperLink if self.release.is_since(37) => Maker::Ours,
            Kind::SuperLinkAndCli | Kind::SuperNodeAndSuperLink => self.theirs(),
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
    /// Those of 1.15 to 1.22.
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
            Self::DaemonsAndApps => ("daemons", "flwr-serverapp and flwr-clientapp"),
            Self::DaemonsAndSuperexec => ("daemons", "flower-superexec"),
        }
    }
}
