//! The names by which the state remembers what a node speaks.

/// The name of the way in which a node wants its messages. The state keeps it beside the node, and
/// only the generation that gave it reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WireName(pub &'static str);
