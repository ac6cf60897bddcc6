//! The machine that this program runs on.

/// The name of this machine.
pub(crate) fn name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}
