//! The page of numbers, put together.

use flwr_daemon::listen::Meter;
use flwr_daemon::metrics::{MetricsPlace, Page};
use flwr_daemon::renew::Renewals;
use flwr_daemon::stop::Stopper;
use flwr_metrics::Registry;

use crate::host::Host;
use crate::metrics::{Measured, SuperNodeNumbers};
use crate::store::Store;
use crate::upstream::Upstream;

/// The page of this node, which counts the calls of its apps from now on.
pub(super) fn page(
    place: &MetricsPlace,
    (upstream, store, host): (&Upstream, &Store, &Host),
    measured: &Measured,
    stopping: [Stopper; 2],
    shared: (&Meter, &Renewals),
) -> Page {
    let mut registry = Registry::default();
    let node = (upstream, store);
    let numbers = SuperNodeNumbers::new(node, measured, stopping, &mut registry);
    host.count_calls().register(&mut registry);
    Page::new(place, registry, shared, numbers)
}
