//! Where FABs and message objects are, if they are in a bucket.

use std::path::PathBuf;

use super::amounts::bytes;

/// The bucket for FABs and message objects, and how it is reached.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct BucketArgs {
    /// Keep FABs and message objects in this bucket: s3://BUCKET/PREFIX?region=R&endpoint=https://HOST
    #[arg(long, value_name = "URL", conflicts_with = "storage_dir")]
    pub storage: Option<String>,

    /// Read the credentials for the bucket from this file [default: the variables of AWS, a web
    /// identity, or the machine's metadata]
    #[arg(long, value_name = "FILE", requires = "storage")]
    pub storage_credentials_file: Option<PathBuf>,

    /// Trust the certificates in this PEM file as well, for the bucket
    #[arg(long, value_name = "FILE", requires = "storage")]
    pub storage_root_certificates: Option<PathBuf>,

    /// Keep so many bytes in memory of what was read from the bucket [default: 512M]
    #[arg(long, value_name = "BYTES", requires = "storage", value_parser = bytes)]
    pub storage_cache: Option<u64>,
}
