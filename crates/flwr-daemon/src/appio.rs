//! Who may call the API of app processes: ServerAppIo of a SuperLink, ClientAppIo of a SuperNode.
//!
//! App processes of flwr 1.20 to 1.28 show their token in a few calls. The connection on which the
//! token was shown admits the other calls ([`Proven`](flwr_security::peer::Proven)). Later processes
//! show their token in the metadata of every call. An earlier process that
//! has lost its connection comes back on another and shows nothing: [`Origin`] knows it again, and
//! [`Holders`] lets it take the place of the lost connection.

mod channel;
mod holders;
mod launchers;
mod origin;
mod place;
mod sockets;
mod tls;

pub(crate) use channel::Opened;
pub use channel::{AppChannel, AppChannels, is_call};
pub use holders::{Holders, Readmission};
pub use launchers::{Launchers, LaunchersError};
pub use origin::Origin;
pub use place::{Place, PlaceError, Wanted};
pub use tls::{AppTls, AppTlsError, Given};
