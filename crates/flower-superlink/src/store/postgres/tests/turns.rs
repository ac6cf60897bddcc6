//! Two SuperLinks over one database, to which calls go in turns: what one has written, the next call reads at
//! the other.
//!
//! Before each call, what SuperLinks do every few seconds is done at once: the one that was called last writes
//! its signs of life and tells what it changed, and the one that is called now hears that and looks at all rows
//! that memory is a copy of. So each row of the battery holds whatever SuperLink answers, and whatever is in
//! memory for longer than that is found out.

mod calls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flwr_core::id::RunId;
use flwr_postgres::Server;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::server::{links, place};
use crate::in_time::in_time;
use crate::link::state::{Changed, LinkState, Shared as _};
use crate::link::wake::{Topic, Wake};
use crate::store::PostgresState;
use crate::store::battery::world::NOON;

/// A SuperLink, as far as its state goes.
#[derive(Debug)]
struct Side {
    state: Arc<PostgresState>,
    hub: Arc<Wake>,
}

/// Two SuperLinks that are called in turns.
#[derive(Debug)]
pub(in crate::store) struct Turns {
    sides: [Side; 2],
    /// How many calls go to a SuperLink before the other has its turn.
    each: u64,
    calls: AtomicU64,
}

/// Two states over one schema of its own, as one. So many calls go to each in its turn.
pub(in crate::store) async fn fresh(each: u64) -> Arc<dyn LinkState> {
    let address = place(Server::of_this_process()).await;
    let states: [_; 2] = links(&address, 2).await.try_into().unwrap();
    let sides = states.map(|state| {
        let hub = Arc::new(Wake::default());
        state.wake_at(&hub);
        Side { state, hub }
    });
    Arc::new(Turns {
        sides,
        each,
        calls: AtomicU64::new(0),
    })
}

impl Turns {
    /// The state whose turn it is. It knows by then what the other has changed.
    async fn turn(&self) -> &PostgresState {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let (here, other) = match call / self.each % 2 {
            0 => (&self.sides[0], &self.sides[1]),
            _ => (&self.sides[1], &self.sides[0]),
        };
        if !call.is_multiple_of(self.each) {
            return &here.state;
        }
        other.state.write_signs(NOON).await.unwrap();
        // All that was told before the last word is heard before it.
        let last = Topic::Log(RunId(u64::MAX - call));
        let listener = here.hub.listen(last);
        let heard = listener.next();
        other.state.tell_others(&[last]);
        in_time("the other SuperLink is heard", heard).await;
        here.state.catch_up(NOON).await.unwrap();
        &here.state
    }

    /// The same for a call that does not wait.
    fn turn_now(&self) -> &PostgresState {
        block_in_place(|| Handle::current().block_on(self.turn()))
    }
}

/// Tells the other SuperLinks what was changed at this one, as its link does.
fn tell<T>(state: &PostgresState, written: (T, Changed)) -> (T, Changed) {
    state.tell_others(&written.1.wake);
    written
}

impl LinkState for Turns {}
