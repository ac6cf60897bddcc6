//! Where the state and the bytes of a command line are.

use std::env;
use std::path::PathBuf;

use flwr_core::home::flwr_home;

use super::ConfigError;
use super::appio::ADVERTISE;
use crate::args::Args;
use crate::store::{Bucket, BucketUrl, Database, PasswordSource, Places, PostgresUrl, Storage};

/// Names of a state that is gone with the process.
pub(super) const IN_MEMORY: [&str; 3] = [":flwr-in-memory-state:", ":flwr-in-memory:", ":memory:"];
/// Bytes of memory for what was read from a bucket: a model or two.
const STORAGE_CACHE: u64 = 512 << 20;

/// Where the state and the objects of a command line are.
///
/// # Errors
/// If there is no home to keep the state in, and no other place is given; or if the address of a
/// database, or what belongs to it, is wrong.
pub fn places(args: &Args) -> Result<Places, ConfigError> {
    let database = database(args)?;
    let of_several = [
        ("--superlink-name", args.server.superlink_name.is_some()),
        (ADVERTISE, args.server.serverappio_advertise.is_some()),
    ];
    let given = of_several.into_iter().find(|(_, is_given)| *is_given);
    if let (Some((flag, _)), None) = (given, &args.bucket.storage) {
        return Err(ConfigError::NoBucket(flag));
    }
    let storage = match (&args.storage_dir, bucket(args)?, &database) {
        (Some(dir), ..) => Storage::Dir(dir.clone()),
        (None, Some(bucket), Database::Postgres(_)) => Storage::Bucket(bucket),
        (None, Some(_), _) => return Err(ConfigError::BucketAlone),
        (None, None, Database::Memory) => Storage::Memory,
        (None, None, Database::File(file)) => Storage::beside(file),
        (None, None, Database::Postgres(_)) => return Err(ConfigError::NoStorage),
    };
    Ok(Places { database, storage })
}

/// Where the state of a command line is.
///
/// # Errors
/// If there is no home to keep the state in, and no other place is given; or if the address of a
/// database, or its password, is wrong.
pub fn database(args: &Args) -> Result<Database, ConfigError> {
    let database = match args.database.as_deref() {
        Some(name) if IN_MEMORY.contains(&name) => Database::Memory,
        Some(url) if PostgresUrl::is_meant(url) => {
            let address = PostgresUrl::parse(url)?;
            Database::Postgres(match password(args) {
                Some(source) => address.with_password(&source)?,
                None => address,
            })
        }
        Some(file) => Database::File(file.into()),
        None => {
            let home = home(args).ok_or(ConfigError::NoHome)?;
            Database::File(home.join("superlink").join("state.db"))
        }
    };
    match args.server.database_password_file.is_some() && !matches!(database, Database::Postgres(_))
    {
        true => Err(ConfigError::NoDatabaseServer("--database-password-file")),
        false => Ok(database),
    }
}

fn home(args: &Args) -> Option<PathBuf> {
    let given = args.flwr_dir.clone();
    given.or_else(|| flwr_home(|name| env::var_os(name)))
}

fn bucket(args: &Args) -> Result<Option<Bucket>, ConfigError> {
    let Some(url) = &args.bucket.storage else {
        return Ok(None);
    };
    let bucket = Bucket {
        url: BucketUrl::parse(url)?,
        credentials: args.bucket.storage_credentials_file.clone(),
        roots: args.bucket.storage_root_certificates.clone(),
        cache: args.bucket.storage_cache.unwrap_or(STORAGE_CACHE),
        apps: home(args).map(|home| home.join("superlink").join("apps")),
        superlink: args.server.name(),
    };
    bucket.check()?;
    Ok(Some(bucket))
}

/// Where the password of a database is. What was typed goes before the environment.
fn password(args: &Args) -> Option<PasswordSource> {
    let of_flag = args.server.database_password_file.clone();
    let of_libpq = || env::var_os("PGPASSFILE").map(|path| PasswordSource::Table(path.into()));
    of_flag.map(PasswordSource::File).or_else(of_libpq)
}
