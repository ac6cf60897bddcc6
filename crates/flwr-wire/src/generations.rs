//! The generations, newest first: one line each. A generation goes with its folder, its protos
//! and its line.

use crate::host::FleetHost;
use crate::methods::Methods;

/// The name of the way in which a node wants its messages. The state keeps it beside the node, and
/// only the generation that gave it reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WireName(pub &'static str);

/// What a node is taken to speak of which nothing is noted.
pub(crate) const ASSUMED: WireName = v1_20_objects::NAME;

/// Declares the generations, the tables of their methods, and all their wire names.
macro_rules! generations {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $($(#[$doc])* pub mod $name;)+

        /// What all generations serve to nodes.
        pub(crate) fn fleet<H: FleetHost>() -> Methods<H> {
            let mut methods = Methods::default();
            $($name::fleet(&mut methods);)+
            methods
        }

        impl WireName {
            /// The wire name that the state kept as this text. `None`: no generation of today has
            /// that name.
            #[must_use]
            pub fn find(text: &str) -> Option<Self> {
                let names = [$($name::NAMES),+];
                let mut names = names.iter().copied().flatten();
                names.find(|name| name.0 == text).copied()
            }
        }
    };
}

generations! {
    /// flwr 1.20 to 1.22: messages and their objects.
    v1_20_objects,
    /// flwr 1.15 to 1.18: messages with their content in them.
    v1_15_inline,
    /// flwr 1.8 to 1.14: messages as tasks.
    v1_08_taskins,
}
