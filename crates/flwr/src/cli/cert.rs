//! The arguments of `flwr cert`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use flwr_security::pki::{CA_NAME, Purpose};

use super::value::whole;

/// How long a certificate may be valid: up to a century.
const DAYS: RangeInclusive<u32> = 1..=36_500;

/// `flwr cert`
#[derive(Debug, Subcommand)]
pub enum CertCommand {
    /// Make a certificate authority and a SuperLink certificate signed by it.
    ///
    /// Writes certificates/ca.crt, ca.key, server.pem and server.key. The certificate is for
    /// localhost, 127.0.0.1 and ::1, and for every --name.
    New(CertNewArgs),
    /// Make a certificate authority: ca.crt and ca.key.
    Ca(CertAuthorityArgs),
    /// Make a SuperLink certificate, signed by a certificate authority of yours: server.pem and
    /// server.key.
    Server(CertServerArgs),
    /// Make a key, and a request that its certificate authority can sign: NAME.key and NAME.csr.
    Request(CertRequestArgs),
    /// Sign a certificate request.
    ///
    /// The certificate is for every --name; without one for the names that the request asks for;
    /// without these for its Common Name.
    Sign(CertSignArgs),
    /// Show what is in PEM files: certificates, requests, lists of revoked certificates and
    /// private keys; and warn of what will fail.
    Inspect(CertInspectArgs),
}

/// `flwr cert new`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  flwr cert new --name superlink.example --name 10.0.0.5")]
pub struct CertNewArgs {
    /// A further host name or IP address by which SuperNodes reach the SuperLink (repeatable).
    #[arg(long, alias = "host", value_name = "HOST")]
    pub name: Vec<String>,
    /// How many days the certificates are valid.
    #[arg(long, default_value_t = 365, value_parser = whole(DAYS), allow_negative_numbers = true)]
    pub days: u32,
    /// Write over files that exist.
    #[arg(long)]
    pub force: bool,
}

/// `flwr cert ca`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  flwr cert ca --encrypt --name 'Hospital CA'")]
pub struct CertAuthorityArgs {
    /// What it is called.
    #[arg(long, default_value = CA_NAME)]
    pub name: String,
    /// How many days it is valid.
    #[arg(long, default_value_t = 3650, value_parser = whole(DAYS), allow_negative_numbers = true)]
    pub days: u32,
    /// Encrypt the key with a passphrase, which is asked for.
    #[arg(long)]
    pub encrypt: bool,
    /// Encrypt the key with the passphrase in the first line of this file.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Where the files go.
    #[arg(long, value_name = "DIR", default_value = "certificates")]
    pub out: PathBuf,
    /// Write over files that exist.
    #[arg(long)]
    pub force: bool,
}

/// The certificate authority that signs.
#[derive(Debug, Args)]
pub struct Issuer {
    /// Its certificate.
    #[arg(long, value_name = "FILE", default_value = "certificates/ca.crt")]
    pub ca: PathBuf,
    /// Its private key; the passphrase is asked for if it has one.
    #[arg(long, value_name = "FILE", default_value = "certificates/ca.key")]
    pub ca_key: PathBuf,
    /// Read the passphrase from the first line of this file.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `flwr cert server`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  flwr cert server --name superlink.example")]
pub struct CertServerArgs {
    /// Who signs.
    #[command(flatten)]
    pub issuer: Issuer,
    /// A host name or IP address by which SuperNodes reach the SuperLink, besides localhost,
    /// 127.0.0.1 and ::1 (repeatable).
    #[arg(long, value_name = "HOST")]
    pub name: Vec<String>,
    /// How many days it is valid.
    #[arg(long, default_value_t = 365, value_parser = whole(DAYS), allow_negative_numbers = true)]
    pub days: u32,
    /// Where the files go.
    #[arg(long, value_name = "DIR", default_value = "certificates")]
    pub out: PathBuf,
    /// Write over files that exist.
    #[arg(long)]
    pub force: bool,
}

/// `flwr cert request`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  flwr cert request --name node-1.example.org --out node-1")]
pub struct CertRequestArgs {
    /// Host name or IP address, the first of which is the Common Name (repeatable).
    #[arg(long, value_name = "HOST", required = true)]
    pub name: Vec<String>,
    /// Where the files go: OUT.key and OUT.csr.
    #[arg(long, default_value = "client")]
    pub out: PathBuf,
    /// Write over files that exist.
    #[arg(long)]
    pub force: bool,
}

/// What a certificate may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Usage {
    /// To serve.
    Server,
    /// To be known to servers.
    Client,
    /// To be known to servers as a SuperNode: Control refuses it.
    Node,
    /// Both.
    Both,
}

/// `flwr cert sign`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flwr cert sign node-1.csr --ca rootCA.pem --ca-key rootCA.key --use node --out node-1.crt")]
pub struct CertSignArgs {
    /// The request.
    pub request: PathBuf,
    /// Who signs.
    #[command(flatten)]
    pub issuer: Issuer,
    /// Host name or IP address that it is for (repeatable).
    #[arg(long, value_name = "HOST")]
    pub name: Vec<String>,
    /// What it may be used for.
    #[arg(long = "use", value_enum, default_value_t = Usage::Both)]
    pub usage: Usage,
    /// How many days it is valid.
    #[arg(long, default_value_t = 365, value_parser = whole(DAYS), allow_negative_numbers = true)]
    pub days: u32,
    /// Where it goes [default: beside the request, with .crt for its ending]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write over a file that exists.
    #[arg(long)]
    pub force: bool,
}

/// `flwr cert inspect`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  flwr cert inspect certificates/server.pem node-1.csr")]
pub struct CertInspectArgs {
    /// The files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

impl From<Usage> for Purpose {
    fn from(usage: Usage) -> Self {
        match usage {
            Usage::Server => Self::Server,
            Usage::Client => Self::Client,
            Usage::Node => Self::Node,
            Usage::Both => Self::Both,
        }
    }
}
