//! What a state does for several SuperLinks that work with it.

use std::sync::Arc;

use crate::link::wake::{Topic, Wake};

/// Wake-ups between SuperLinks. A state that has one SuperLink has nothing to do.
pub trait Shared {
    /// From now on, what other SuperLinks change wakes who waits at this hub.
    fn wake_at(&self, _hub: &Arc<Wake>) {}

    /// Tells the other SuperLinks to look again at what was changed here. A word may be lost.
    fn tell_others(&self, _topics: &[Topic]) {}
}
