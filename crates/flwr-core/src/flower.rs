//! The release of Flower that apps get where none is installed, and that errors advise to install.

/// The newest release that `cargo xtask interop` has passed and that pip installs by itself. Python
/// 3.11 or later takes it.
pub const RELEASE: &str = "1.42.0";
/// The newest release that Python 3.10 takes.
pub const RELEASE_FOR_PYTHON_3_10: &str = "1.30.0";
