//! The Context of a ClientApp: which node and run it works for, their configuration, and the
//! state that the app keeps from one message to the next.
//!
//! Only apps read the records of a state, so the records stay in the form in which they came.

use bytes::Bytes;
use flwr_proto as proto;
use prost::{DecodeError, Message as _};

use crate::config::{self, UserConfig};
use crate::id::{NodeId, RunId};

/// A Context.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context(proto::Context);

/// The records that an app keeps in its Context.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State(proto::RecordDict);

impl Context {
    /// The Context for a run on a node.
    #[must_use]
    pub fn new(
        (run, run_config): (RunId, &UserConfig),
        (node, node_config): (NodeId, &UserConfig),
        state: State,
    ) -> Self {
        Self(proto::Context {
            run_id: run.0,
            node_id: node.0,
            node_config: config::to_wire(node_config),
            state: Some(state.0),
            run_config: config::to_wire(run_config),
            series_id: 0,
        })
    }

    /// The state, if the Context has one.
    #[must_use]
    pub fn into_state(self) -> Option<State> {
        self.0.state.map(State)
    }

    /// The node for which the app works.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        NodeId(self.0.node_id)
    }

    /// Bytes of the form in which a Context is kept.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.0.encoded_len()
    }

    /// The form in which a Context is kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// Reads a Context that was kept.
    ///
    /// # Errors
    /// If the bytes are no Context.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, DecodeError> {
        proto::Context::decode(bytes).map(Self)
    }
}

impl From<proto::Context> for Context {
    fn from(wire: proto::Context) -> Self {
        Self(wire)
    }
}

impl From<Context> for proto::Context {
    fn from(context: Context) -> Self {
        context.0
    }
}

impl From<proto::RecordDict> for State {
    fn from(wire: proto::RecordDict) -> Self {
        Self(wire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Scalar;

    #[test]
    fn a_context_names_node_and_run_and_survives_its_bytes() {
        let config = |key: &str| UserConfig::from([(key.to_owned(), Scalar::Int(1))]);
        let item = proto::record_dict::Item {
            key: "seen".to_owned(),
            ..Default::default()
        };
        let state = State::from(proto::RecordDict { items: vec![item] });
        let (of_run, of_node) = (config("lr"), config("cpus"));
        let context = Context::new((RunId(7), &of_run), (NodeId(9), &of_node), state.clone());
        let wire = proto::Context::from(context.clone());
        assert_eq!((wire.run_id, wire.node_id), (7, 9));
        assert!(wire.run_config.contains_key("lr") && wire.node_config.contains_key("cpus"));
        let again = Context::from_bytes(context.to_bytes().into()).unwrap();
        assert_eq!(again, context);
        assert_eq!(again.into_state(), Some(state));
        assert!(Context::from_bytes(Bytes::from_static(b"\xff")).is_err());
    }
}
