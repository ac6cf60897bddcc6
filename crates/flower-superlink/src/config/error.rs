//! What is wrong with the flags.

use flwr_client::channel::InvalidProxy;
use flwr_core::address::{Address, AddressError};
use flwr_daemon::appio::{AppTlsError, LaunchersError, PlaceError};
use flwr_daemon::apps;
use flwr_daemon::metrics::MetricsError;
use flwr_security::allow_list::AllowListError;
use flwr_security::client_list::ClientListError;
use flwr_security::key::KeyError;
use flwr_security::tls::TlsError;
use thiserror::Error;

use super::{JoiningError, accounts};
use crate::accounts::FileError;

/// What is wrong with the flags.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Neither TLS nor its absence was asked for.
    #[error(
        "certificates are required: give --ssl-ca-certfile, --ssl-certfile and --ssl-keyfile (`flwr cert new` makes them), or --insecure to do without TLS"
    )]
    NoTransport,
    /// A flag about clients' certificates, and nobody asks for them.
    #[error(
        "{0} is of use with --ssl-client-ca-certfile only, which asks clients for certificates"
    )]
    NobodyAsked(&'static str),
    /// A flag about the certificates of people, and people are asked for none.
    #[error("{0} excludes --control-client-auth none, which asks for no certificates on Control")]
    NobodyAskedOnControl(&'static str),
    /// The revocations of no CA.
    #[error(
        "--ssl-control-client-crl-file is of use with --ssl-control-client-ca-certfile only: with one CA for SuperNodes and people --ssl-client-crl-file counts for both"
    )]
    ControlCrlWithoutCa,
    /// A flag that would do nothing without TLS.
    #[error("{0} needs TLS: give the --ssl-... flags instead of --insecure")]
    NeedsTls(&'static str),
    /// Older nodes on a list, and no key to share secrets by.
    #[error(
        "--serve-older 1.8 needs --auth-superlink-private-key with --auth-list-public-keys: SuperNodes of flwr 1.9 to 1.14 prove who they are by a secret that they share with this key"
    )]
    OlderWithoutKey,
    /// The page of numbers.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The address of a PostgreSQL database.
    #[error("--database")]
    Database(#[from] crate::store::PostgresUrlError),
    /// The address of a bucket.
    #[error("--storage")]
    Bucket(#[from] crate::store::BucketError),
    /// A state on this machine counts on files of this machine.
    #[error("--storage s3://… needs --database postgres://…: give --storage-dir instead")]
    BucketAlone,
    /// The password of a PostgreSQL database.
    #[error(transparent)]
    DatabasePassword(#[from] crate::store::PasswordError),
    /// A flag about a database server, and there is none.
    #[error("{0} is of use with --database postgres://… only")]
    NoDatabaseServer(&'static str),
    /// A flag for SuperLinks that share what they keep, and they share nothing.
    #[error(
        "{0} is of use with --storage s3://… only: other SuperLinks cannot reach a directory of this machine"
    )]
    NoBucket(&'static str),
    /// ServerApps would speak plaintext with a balancer elsewhere.
    #[error(
        "--serverappio-advertise {0}: ServerApps would send their tokens and models there in plaintext. Give --appio-ssl-certfile with a certificate for that host, or --allow-plaintext-appio if only machines and networks that you trust are between"
    )]
    AdvertisedPlaintext(Address),
    /// ServerApps have nothing by which another SuperLink knows them.
    #[error(
        "--serverappio-advertise {0}: ServerApps of this flwr release have no token, and other SuperLinks would not know them. Leave the flag away, or give a later flwr"
    )]
    AdvertisedTokenless(Address),
    /// Somebody else starts the ServerApps.
    #[error(
        "--serverappio-advertise {0}: with --isolation process, whoever starts ServerApps gives them the address"
    )]
    AdvertisedToNobody(Address),
    /// Objects have no place beside a database that is elsewhere.
    #[error(
        "--database postgres://… needs a place for FABs and objects: --storage-dir DIR, or --storage s3://BUCKET/PREFIX"
    )]
    NoStorage,
    /// SuperNodes that join.
    #[error(transparent)]
    Joining(#[from] JoiningError),
    /// The SuperLink's own key.
    #[error("--auth-superlink-private-key")]
    OwnKey(#[source] KeyError),
    /// A list of clients.
    #[error("{flag}")]
    Clients {
        /// The flag.
        flag: &'static str,
        /// What is wrong with its file.
        source: ClientListError,
    },
    /// Some of the TLS flags.
    #[error(
        "{given} is given without {missing}: TLS needs --ssl-ca-certfile, --ssl-certfile and --ssl-keyfile"
    )]
    IncompleteTls {
        /// One that is there.
        given: &'static str,
        /// One that is not.
        missing: &'static str,
    },
    /// A file of the TLS flags.
    #[error("{flag}")]
    Tls {
        /// The flag.
        flag: &'static str,
        /// What is wrong with its file.
        source: TlsError,
    },
    /// Signatures over plaintext can be replayed by whoever listens.
    #[error(
        "{0} needs TLS: signatures sent in plaintext can be replayed. Give the --ssl-... flags instead of --insecure"
    )]
    AuthWithoutTls(&'static str),
    /// The accounts' file.
    #[error("{}", accounts::FLAG)]
    Accounts(#[source] FileError),
    /// Tokens over plaintext can be used by whoever listens.
    #[error(
        "{} needs TLS: tokens sent in plaintext can be used by whoever listens. Give the --ssl-... flags instead of --insecure",
        accounts::FLAG
    )]
    AccountsWithoutTls,
    /// A way to start runs that asks for no account.
    #[error(
        "--serverappio-tls lets everybody start runs who reaches that port, and {} does not: leave one of them out, or ask clients for certificates with --ssl-client-ca-certfile",
        accounts::FLAG
    )]
    RunsWithoutAccount,
    /// A proxy that is none.
    #[error(transparent)]
    Proxy(#[from] InvalidProxy),
    /// The allow-list.
    #[error("--auth-list-public-keys")]
    AllowList(#[source] AllowListError),
    /// An address.
    #[error("{flag}")]
    Address {
        /// The flag.
        flag: &'static str,
        /// What is wrong with its value.
        source: AddressError,
    },
    /// Where ServerApp processes connect to would be open to others.
    #[error(transparent)]
    Appio(#[from] PlaceError),
    /// The TLS of ServerAppIo.
    #[error(transparent)]
    AppTls(#[from] AppTlsError),
    /// A flag or a variable of flwr's SuperLink for what is not built. To ignore it could open what it
    /// closes, or leave out what somebody counts on.
    #[error("{name} is not built: {way_out}")]
    NotBuilt {
        /// The flag or the variable.
        name: &'static str,
        /// What to do instead.
        way_out: &'static str,
    },
    /// Who may start ServerApp processes.
    #[error(transparent)]
    Launchers(#[from] LaunchersError),
    /// No `flwr-serverapp`.
    #[error("--isolation subprocess")]
    NoServerApp(#[source] apps::Error),
    /// A `flwr-serverapp` that does not do what was asked for.
    #[error(transparent)]
    ServerApp(apps::Error),
    /// Nowhere to keep the state.
    #[error(
        "there is no place for the state: none of FLWR_HOME, XDG_DATA_HOME and HOME is set; give --database FILE, or --database :memory:"
    )]
    NoHome,
}
