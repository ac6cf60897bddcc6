//! The flags about the page of numbers, which both daemons have.

use std::path::PathBuf;

use clap::Args;

/// The flags about the page of numbers.
#[derive(Debug, Clone, Default, Args)]
pub struct MetricsFlags {
    /// Serve numbers for Prometheus here (/metrics), and whether this daemon lives (/livez) and is
    /// ready (/readyz). Plaintext and without login, unless the flags below say otherwise: for this
    /// machine or a network of your own [default: not at all]
    #[arg(long, value_name = "HOST:PORT")]
    pub metrics_address: Option<String>,

    /// Give the numbers only to those who send the token in this file (Authorization: Bearer TOKEN).
    /// /livez and /readyz need none
    #[arg(long, value_name = "FILE", requires = "metrics_address")]
    pub metrics_token_file: Option<PathBuf>,

    /// Speak TLS at --metrics-address, with this certificate (PEM, with its chain)
    #[arg(long, value_name = "FILE", requires = "metrics_address")]
    pub metrics_ssl_certfile: Option<PathBuf>,

    /// The private key of the certificate of --metrics-ssl-certfile (PEM, not encrypted)
    #[arg(long, value_name = "FILE", requires = "metrics_address")]
    pub metrics_ssl_keyfile: Option<PathBuf>,

    /// The CA certificate that signed the certificate of --metrics-ssl-certfile (PEM)
    #[arg(long, value_name = "FILE", requires = "metrics_address")]
    pub metrics_ssl_ca_certfile: Option<PathBuf>,
}
