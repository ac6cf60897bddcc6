//! A bucket of S3 or of a server that speaks like it: `s3://BUCKET[/PREFIX][?region=…&endpoint=…]`.
//!
//! Credentials come from the variables of AWS, a web identity, the metadata of the machine, or a file
//! of their own: others can read a command line. Only PUT, GET, LIST, DELETE and multipart uploads are
//! used, which all servers have.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};
use percent_encoding::percent_decode_str;
use thiserror::Error;

mod credentials;

use credentials::Credentials;

/// What the address of a bucket begins with.
const SCHEME: &str = "s3://";
/// How long a call waits for a bucket that is away.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first pause between two tries, and the longest. Each is drawn between the first and the
/// one before, times the factor.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
const FACTOR: f64 = 2.0;
/// Tries at most: time is up earlier.
const RETRIES: usize = 100;
/// How long one request may take, of 16 MiB at most, and a connection to be made.
const REQUEST: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);

/// Where a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUrl {
    bucket: String,
    prefix: String,
    region: Option<String>,
    endpoint: Option<String>,
}

/// A bucket, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Where it is.
    pub url: BucketUrl,
    /// The file with the credentials, if they are in one.
    pub credentials: Option<PathBuf>,
    /// The certificates to trust beside the system's.
    pub roots: Option<PathBuf>,
    /// Bytes of memory for what was read.
    pub cache: u64,
    /// The directory of this machine in which ServerApps print, each SuperLink of each state in a folder
    /// of its own.
    pub apps: Option<PathBuf>,
    /// The name of this SuperLink among those that share the bucket and the database.
    pub superlink: String,
}

/// Why a bucket cannot be used.
#[derive(Debug, Error)]
pub enum BucketError {
    /// It is no address of a bucket.
    #[error("`{0}` is not the address of a bucket: write s3://BUCKET/PREFIX")]
    Malformed(String),
    /// A parameter that is not known.
    #[error("`{url}` has the parameter `{name}`: region and endpoint are known")]
    Parameter {
        /// The address.
        url: String,
        /// The parameter.
        name: String,
    },
    /// Everything would be sent in the clear, or it is no address.
    #[error(
        "the endpoint at `{0}` cannot be used: write endpoint=https://HOST, or http:// with a loopback address, and no name or password"
    )]
    Endpoint(String),
    /// A file could not be read.
    #[error("{flag}: `{}` could not be read", .path.display())]
    Unreadable {
        /// The flag that names the file.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read the credentials.
    #[error("others can read the credentials in `{}` (--storage-credentials-file): run `chmod 600` on the file", .0.display())]
    OpenCredentials(PathBuf),
    /// A file without the two lines.
    #[error("`{}` (--storage-credentials-file) has no {what}: write the lines `aws_access_key_id = …` and `aws_secret_access_key = …`", .path.display())]
    NoCredentials {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// The file is read at the start, and the token in it ends before long.
    #[error("`{}` (--storage-credentials-file) has aws_session_token, which expires, and the file is read at the start only: give a key that stays, or let the machine or a web identity give the credentials", .0.display())]
    Expiring(PathBuf),
    /// Certificates that cannot be read.
    #[error("`{}` (--storage-root-certificates) holds no PEM certificates", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<object_store::Error>,
    },
    /// It cannot be reached, or does not let us in.
    #[error(transparent)]
    Unusable(#[from] flwr_daemon::objects::Error),
    /// The client could not be made.
    #[error("{url} could not be set up")]
    Failed {
        /// The bucket.
        url: String,
        /// Why.
        source: Box<object_store::Error>,
    },
}

impl BucketUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// If it is none, or would send everything in the clear.
    pub fn parse(given: &str) -> Result<Self, BucketError> {
        let malformed = || BucketError::Malformed(shown(given));
        let rest = given.strip_prefix(SCHEME).ok_or_else(malformed)?;
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let is_part = |text: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            text.chars().all(is_plain) && !text.chars().all(|c| c == '.')
        };
        let prefix = prefix.trim_end_matches('/');
        let parts_fit = prefix.is_empty() || prefix.split('/').all(is_part);
        if bucket.is_empty() || !is_part(bucket) || !parts_fit {
            return Err(malformed());
        }
        let mut url = Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            region: None,
            endpoint: None,
        };
        for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or_else(malformed)?;
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| malformed())?.into_owned();
            match name {
                "region" => url.region = Some(value),
                "endpoint" => url.endpoint = Some(endpoint(value)?),
                name => {
                    return Err(BucketError::Parameter {
                        url: shown(given),
                        name: name.to_owned(),
                    });
                }
            }
        }
        Ok(url)
    }

    /// Bucket and prefix. The name of an object follows.
    pub(in crate::store) fn place(&self) -> String {
        let Self { bucket, prefix, .. } = self;
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("{SCHEME}{bucket}{slash}{prefix}")
    }

    fn is_plaintext(&self) -> bool {
        let endpoint = self.endpoint.as_deref().unwrap_or_default();
        endpoint.starts_with("http://")
    }
}

/// An address that encrypts, or is of this machine.
fn endpoint(value: String) -> Result<String, BucketError> {
    let is_encrypted = value.starts_with("https://");
    let host = value.strip_prefix("http://").map(|rest| {
        let authority = rest.split('/').next().unwrap_or_default();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
            _ => authority,
        };
        host.trim_matches(['[', ']'])
    });
    let is_loopback = host.is_some_and(|host| {
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    // Nobody's name and password: the address is printed.
    match (is_encrypted || is_loopback) && !value.contains('@') {
        true => Ok(value),
        false => Err(BucketError::Endpoint(host_of(&value))),
    }
}

/// What of an address can be printed. People write keys before an `@`, or as parameters.
fn shown(given: &str) -> String {
    let (scheme, rest) = given.split_once("://").unwrap_or(("", given));
    let slashes = if scheme.is_empty() { "" } else { "://" };
    let place = rest.split('?').next().unwrap_or_default();
    // Neither a bucket nor a prefix has these.
    match place.contains(['@', ':']) || rest.rsplit_once('@').is_some() {
        true => format!("{scheme}{slashes}…"),
        false => format!("{scheme}{slashes}{place}"),
    }
}

/// The host of an address, without a name and a password, a path and parameters.
fn host_of(value: &str) -> String {
    let rest = value.rsplit('@').next().unwrap_or_default();
    let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest);
    rest.split(['/', '?', '#'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())?;
        match &self.endpoint {
            Some(endpoint) => write!(f, " at {endpoint}"),
            None => Ok(()),
        }
    }
}

impl Bucket {
    /// Reads the files by which the bucket is reached. Nothing is asked of the bucket.
    ///
    /// # Errors
    /// If one of them cannot be read or used.
    pub fn check(&self) -> Result<(), BucketError> {
        self.store().map(drop)
    }

    /// A client for the bucket. Nothing is asked of the bucket yet.
    ///
    /// # Errors
    /// If a file cannot be read or used.
    pub(in crate::store) fn store(&self) -> Result<Arc<dyn ObjectStore>, BucketError> {
        self.store_within(PATIENCE)
    }

    /// The same, whose calls wait so long for a bucket that is away.
    pub(super) fn store_within(
        &self,
        patience: Duration,
    ) -> Result<Arc<dyn ObjectStore>, BucketError> {
        let mut options = ClientOptions::new()
            .with_timeout(REQUEST)
            .with_connect_timeout(CONNECT)
            .with_allow_http(self.url.is_plaintext());
        for certificate in self.certificates()? {
            options = options.with_root_certificate(certificate);
        }
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: PAUSES.0,
                max_backoff: PAUSES.1,
                base: FACTOR,
            },
            max_retries: RETRIES,
            retry_timeout: patience,
        };
        let mut builder = self
            .identified(AmazonS3Builder::from_env())?
            .with_client_options(options)
            .with_retry(retry)
            .with_checksum_algorithm(Checksum::SHA256)
            .with_bucket_name(&self.url.bucket);
        if let Some(region) = &self.url.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &self.url.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let store = builder.build().map_err(|source| BucketError::Failed {
            url: self.url.to_string(),
            source: Box::new(source),
        })?;
        Ok(match self.url.prefix.is_empty() {
            true => Arc::new(store),
            false => Arc::new(PrefixStore::new(store, self.url.prefix.as_str())),
        })
    }

    /// A client with the credentials of the file, or with what the environment says. Of the
    /// environment a file leaves nothing that says who we are: a token belongs to another key.
    fn identified(&self, environment: AmazonS3Builder) -> Result<AmazonS3Builder, BucketError> {
        let Some(file) = &self.credentials else {
            return Ok(environment);
        };
        let Credentials { id, secret } = Credentials::read(file)?;
        let mut builder = AmazonS3Builder::new()
            .with_access_key_id(id)
            .with_secret_access_key(secret);
        for key in [AmazonS3ConfigKey::Region, AmazonS3ConfigKey::Endpoint] {
            if let Some(value) = environment.get_config_value(&key) {
                builder = builder.with_config(key, value);
            }
        }
        Ok(builder)
    }

    fn certificates(&self) -> Result<Vec<Certificate>, BucketError> {
        let Some(path) = &self.roots else {
            return Ok(Vec::new());
        };
        let pem = read("--storage-root-certificates", path)?;
        let failed = |source| BucketError::Certificates {
            path: path.clone(),
            source: Box::new(source),
        };
        let found = Certificate::from_pem_bundle(pem.as_bytes()).map_err(failed)?;
        match found.is_empty() {
            false => Ok(found),
            true => Err(failed(object_store::Error::Generic {
                store: "certificates",
                source: "there is none in the file".into(),
            })),
        }
    }
}

fn read(flag: &'static str, path: &Path) -> Result<String, BucketError> {
    fs::read_to_string(path).map_err(|source| BucketError::Unreadable {
        flag,
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
