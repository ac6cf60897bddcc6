//! The system's limits for this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of files that may be open as far as the system allows: each connection is
/// one, and the usual 1,024 are there for programs that still use `select`. Gives the number; `None`
/// is without bound.
pub fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => limit.maximum,
        // What there is must do.
        Err(_) => limit.current,
    }
}
