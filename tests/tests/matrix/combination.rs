//! The combinations of our programs and pip's that the matrix tries.

use e2e::{Federation, Isolation, Maker, Plan, Release, Security};

use crate::releases;

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

/// What is tried of our own earlier programs.
const EARLIER: [Kind; 4] = [
    Kind::SuperLinkAndSuperNode,
    Kind::SuperLinkAndCli,
    Kind::SuperNodeAndSuperLink,
    Kind::CliAndSuperLink,
];

impl Combination {
    /// All combinations with this version.
    pub(crate) fn all(release: Release) -> Vec<Self> {
        let of_pips = |kind| Self {
            kind,
            release,
            is_ours: false,
        };
        releases::kinds(release).into_iter().map(of_pips).collect()
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

    /// As it is told while it is tried.
    pub(crate) fn title(self) -> String {
        let (ours, theirs) = self.kind.programs();
        if self.is_ours {
            return format!("our {ours} with our earlier {theirs}");
        }
        format!("our {ours} with pip's {theirs} {}", self.release.number())
    }

    /// The release of the other programs, in the record.
    pub(crate) fn release_name(self) -> String {
        match self.is_ours {
            true => "earlier".to_owned(),
            false => self.release.number(),
        }
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
        let with_apps = Maker::OursWith(self.release);
        let plan = Federation::plan(security);
        match self.kind {
            Kind::SuperLinkAndOldest => plan.nodes(0),
            Kind::SuperLinkAndSuperNode => plan.supernodes([pip, pip]),
            // Their `flwr` registers the keys from 1.23 on.
            Kind::SuperLinkAndCli if self.release.is_since(23) => plan.registered_by(pip),
            Kind::SuperLinkAndCli => plan,
            Kind::SuperLinkAndServerApp => plan.superlink(with_apps),
            Kind::SuperNodeAndSuperLink => {
                // Our SuperNode starts no ClientApps of before 1.20.
                let node = match self.release.is_since(20) {
                    true => with_apps,
                    false => Maker::Ours,
                };
                plan.superlink(pip).supernodes([node, node])
            }
            Kind::SuperNodeAndClientApp => plan.supernodes([with_apps, with_apps]),
            Kind::CliAndSuperLink => {
                let plan = plan.superlink(pip).supernodes([pip, pip]);
                match self.release.is_since(23) {
                    true => plan.registered_by(Maker::Ours),
                    false => plan,
                }
            }
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
            Kind::SuperLinkAndCli | Kind::SuperNodeAndSuperLink => self.theirs(),
            _ => Maker::Ours,
        }
    }
}

impl Kind {
    /// What of theirs is tried, in the record.
    pub(crate) const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::SuperLinkAndOldest => &["supernode", "serverapp"],
            Self::SuperLinkAndSuperNode => &["supernode"],
            Self::SuperLinkAndCli => &["flwr"],
            Self::SuperLinkAndServerApp => &["serverapp"],
            Self::SuperNodeAndClientApp => &["clientapp"],
            Self::DaemonsAndApps => &["apps"],
            Self::DaemonsAndSuperexec => &["superexec"],
            Self::SuperNodeAndSuperLink => &["superlink-of-supernode"],
            Self::CliAndSuperLink => &["superlink-of-flwr"],
        }
    }

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

impl Protection {
    /// As it is told while it is tried.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Insecure => "insecure",
            Self::Tls => "TLS",
            Self::TlsAndAuth => "TLS + authentication",
            Self::Token => "token",
        }
    }

    /// Its key in the record.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Insecure => "insecure",
            Self::Tls => "tls",
            Self::TlsAndAuth => "keys",
            Self::Token => "token",
        }
    }
}
