//! `--metrics-address`: a page of numbers for Prometheus, and whether the daemon lives and is ready.
//!
//! | path | who asks | answer |
//! | --- | --- | --- |
//! | `/metrics` | Prometheus, with the token if there is one | the numbers |
//! | `/livez` | an orchestrator | 200 as long as the daemon can answer |
//! | `/readyz` | a load balancer or orchestrator | 200, or 503 with the reason in one line |
//!
//! The page is read from the owners of the state at the moment of the request. A daemon without the
//! flag has no such port, and reads nothing.

mod flags;
mod page;
mod place;
mod token;

pub use flags::MetricsFlags;
pub use page::{NotReady, Page, Source};
pub use place::{MetricsError, MetricsPlace};
pub use token::{MetricsToken, MetricsTokenError};

use crate::listen::Service;

/// The service behind the port.
pub const METRICS: Service = Service {
    name: "Metrics",
    flag: "--metrics-address",
};
