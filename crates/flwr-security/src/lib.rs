//! Who may speak: TLS, certificates, SuperNode keys, the signatures on requests, the list of
//! allowed keys, and channels that say why they do not connect. Knows nothing of messages.

pub mod allow_list;
pub mod channel;
pub mod client_list;
pub mod from_file;
pub mod key;
pub mod oidc;
pub mod pki;
pub mod private_files;
pub mod shared_secret;
pub mod signature;
pub mod tls;
