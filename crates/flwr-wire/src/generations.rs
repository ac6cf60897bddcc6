//! The generations, newest first: one line each. A generation goes with its folder, its protos
//! and its line.

use flwr_core::port::{Control, SignIn};

use crate::host::{FleetHost, RuntimeHost, ServerAppHost};
use crate::methods::{fleet, runtime, session};
pub use crate::wire_name::WireName;

/// What a node is taken to speak of which nothing is noted.
pub(crate) const ASSUMED: WireName = v1_20_objects::NAME;

/// Declares the generations, each with the ports that it speaks, the tables of their methods, and
/// all wire names.
macro_rules! generations {
    ($($(#[$doc:meta])* $name:ident: $($port:ident)+),+ $(,)?) => {
        $($(#[$doc])* pub mod $name;)+

        /// What all generations serve to nodes.
        pub(crate) fn fleet<H: FleetHost>() -> fleet::Methods<H> {
            let mut methods = fleet::Methods::default();
            $($(generations!(@fleet $name $port methods);)+)+
            methods
        }

        /// What all generations serve to processes of ServerApps.
        pub(crate) fn serverapps<H: ServerAppHost>() -> runtime::Methods<H> {
            let mut methods = runtime::Methods::default();
            $($(generations!(@serverapps $name $port methods);)+)+
            methods
        }

        /// What all generations serve to processes of ClientApps.
        pub(crate) fn clientapps<H: RuntimeHost>() -> runtime::Methods<H> {
            let mut methods = runtime::Methods::default();
            $($(generations!(@clientapps $name $port methods);)+)+
            methods
        }

        /// What all generations serve to people.
        pub(crate) fn control<C: Control>() -> session::Methods<C> {
            let mut methods = session::Methods::default();
            $($(generations!(@control $name $port methods);)+)+
            methods
        }

        /// What all generations serve to people who sign in.
        pub(crate) fn sign_in<S: SignIn>() -> session::Methods<S> {
            let mut methods = session::Methods::default();
            $($(generations!(@sign_in $name $port methods);)+)+
            methods
        }

        impl WireName {
            /// The wire name that the state kept as this text. `None`: no generation has that name.
            #[must_use]
            pub fn find(text: &str) -> Option<Self> {
                $($(generations!(@names $name $port text);)+)+
                None
            }

            /// Whether nodes that speak this wire may do so over HTTP.
            pub(crate) fn is_over_http(self) -> bool {
                $($(generations!(@over_http $name $port self);)+)+
                false
            }

            /// Whether nodes that speak this wire sign their requests with a key of their own.
            #[must_use]
            pub fn is_signed(self) -> bool {
                $($(generations!(@signs $name $port self);)+)+
                true
            }
        }
    };
    (@fleet $name:ident fleet $methods:ident) => { $name::fleet(&mut $methods) };
    (@serverapps $name:ident serverapps $methods:ident) => { $name::serverapps(&mut $methods) };
    (@clientapps $name:ident clientapps $methods:ident) => { $name::clientapps(&mut $methods) };
    (@control $name:ident control $methods:ident) => { $name::control(&mut $methods) };
    (@sign_in $name:ident control $methods:ident) => { $name::sign_in(&mut $methods) };
    (@names $name:ident fleet $text:ident) => {
        if let Some(name) = $name::NAMES.iter().find(|name| name.0 == $text) {
            return Some(*name);
        }
    };
    (@signs $name:ident fleet $wire:tt) => {
        if $name::NAMES.contains(&$wire) {
            return $name::IS_SIGNED;
        }
    };
    (@over_http $name:ident fleet $wire:tt) => {
        if $name::NAMES.contains(&$wire) {
            return $name::IS_OVER_HTTP;
        }
    };
    (@$table:ident $name:ident $port:ident $rest:tt) => {};
}

generations! {
    /// flwr 1.43: ServerApps that ask for replies by a list of its own.
    v1_43_replies: serverapps,
    /// flwr 1.30 and later, over gRPC until 1.34 and over HTTP from 1.35 on: app processes that get a task.
    v1_30_tasks: serverapps clientapps,
    /// flwr 1.24 to 1.29: app processes that give signs of life by their token.
    v1_24_signs: serverapps clientapps,
    /// flwr 1.20 to 1.29: app processes that get a run.
    v1_21_runs: serverapps clientapps,
    /// flwr 1.23 and later: registered nodes, over gRPC until 1.39 and over HTTP from 1.40 on.
    v1_23_nodes: fleet,
    /// flwr 1.20 to 1.22: messages and their objects.
    v1_20_objects: fleet,
    /// flwr 1.15 to 1.18: messages with their content in them.
    v1_15_inline: fleet serverapps,
    /// flwr 1.8 to 1.14: messages as tasks.
    v1_08_taskins: fleet serverapps,
    /// flwr 1.13 and later, over gRPC until 1.36 and over HTTP from 1.37 on: the `flwr` command.
    v1_10_control: control,
}
