//! Who may speak: TLS, certificates, SuperNode keys, the signatures on requests, and the lists
//! of allowed keys and clients. Makes no connection and knows nothing of messages.

pub mod allow_list;
pub mod client_list;
pub mod from_file;
pub mod joining;
pub mod key;
pub mod peer;
pub mod pki;
pub mod private_files;
pub mod signature;
pub mod superexec;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tls;
pub mod whole_dir;
