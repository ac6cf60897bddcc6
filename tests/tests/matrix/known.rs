//! The pairs that do not work, with the reason, and with what one of the programs says then.

use e2e::Release;

use crate::combination::{Combination, Kind};

/// Why two programs do not work together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// The reason, for people.
    pub(crate) why: &'static str,
    /// What one of the programs says: a pair that fails without this fails for another reason.
    pub(crate) sign: &'static str,
}

impl Combination {
    /// Why the two do not work together, where that is known.
    pub(crate) fn known(self) -> Option<Known> {
        let release = self.release;
        let known = match self.kind {
            Kind::SuperLinkAndSuperNode if release == Release::V1_19 => Known {
                why: "1.19 alone sends lists of objects in a layout of its own, and nothing by which its \
                      nodes could be told from later ones; pip's later SuperLinks do not serve it either",
                // The node's word for an object that it does not find, before the object's id.
                sign: "ERROR \u{1b}[0m:     '",
            },
            Kind::SuperLinkAndCli if release <= Release::V1_15 => Known {
                why: "its `flwr run --stream` wants the call for the log to be cancelled at the end, which \
                      later ones take for a failure; without --stream, and in all other commands, it works",
                // The run is over, and the command has not ended.
                sign: "round 2: mean 3.000",
            },
            Kind::SuperLinkAndServerApp if release == Release::V1_19 => Known {
                why: "1.19 alone packs arrays and lists of objects in a way of its own",
                sign: "KeyError: 'fitins.parameters'",
            },
            Kind::SuperNodeAndSuperLink if release <= Release::V1_19 => Known {
                why: "our SuperNode speaks the wire of 1.20 and later: messages as objects",
                sign: match release == Release::V1_19 {
                    // A ClientApp of today does not find an object in its layout.
                    true => "KeyError: '",
                    false => "must name the Fleet address of a SuperLink of flwr 1.20 ",
                },
            },
            Kind::SuperNodeAndClientApp if release <= Release::V1_19 => Known {
                why: "its flwr-clientapp has a token that is a number, and calls of its own for it",
                sign: "argument --token: invalid int value",
            },
            _ => return None,
        };
        Some(known)
    }
}
