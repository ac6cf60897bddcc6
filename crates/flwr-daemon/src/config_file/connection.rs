//! The five keys of a `--config` file that describe a connection with mutual TLS.
//!
//! Without a name in `options`, the guides expect `localhost` in the server's certificate. The name
//! of the address counts first. `localhost` counts too: on this machine, and elsewhere if the file
//! names its own root.

use serde_json::{Map, Value};

use super::Side;

const SECURE: &str = "use_secure_connection";
const PRIVATE_KEY: &str = "ssl_private_key";
const CERTIFICATE: &str = "ssl_cert";
const ROOT: &str = "ssl_root_cert";
const OPTIONS: &str = "options";
/// The five keys that are no flags.
pub(super) const CONNECTION: [&str; 5] = [SECURE, PRIVATE_KEY, CERTIFICATE, ROOT, OPTIONS];
/// gRPC's option for the name in a server's certificate.
const NAME_OVERRIDE: &str = "grpc.ssl_target_name_override";

/// Removes the keys about the connection from a file's content, and gives them as flags.
pub(super) fn flags(side: &Side, file: &mut Map<String, Value>) -> Result<Vec<String>, String> {
    let secure = match file.remove(SECURE) {
        Some(Value::Bool(secure)) => secure,
        Some(_) => return Err(format!("`{SECURE}` is true or false")),
        None => match CONNECTION.iter().find(|key| file.contains_key(**key)) {
            Some(key) => {
                return Err(format!(
                    "`{key}` is of use with `{SECURE}` only: say whether that is true or false"
                ));
            }
            None => return Ok(Vec::new()),
        },
    };
    // A root that the file names is one's own: it signs for nobody else.
    let own_root = file.get(ROOT).is_some_and(|root| !root.is_null());
    let mut path = |key: &str, default: &str| match file.remove(key) {
        None | Some(Value::Null) => Ok(default.to_owned()),
        Some(Value::String(path)) => Ok(path),
        Some(_) => Err(format!("`{key}` is a path")),
    };
    let (key_flag, key) = side.private_key;
    let (certificate_flag, certificate) = side.certificate;
    let (root_flags, root) = side.root;
    let key = path(PRIVATE_KEY, key)?;
    let certificate = path(CERTIFICATE, certificate)?;
    let root = path(ROOT, root)?;
    let options = options(side, file.remove(OPTIONS))?;
    if !secure {
        return Ok(vec!["--insecure".to_owned()]);
    }
    let mut flags = vec![
        format!("--{key_flag}={key}"),
        format!("--{certificate_flag}={certificate}"),
        "--ssl-allow-legacy-certificates".to_owned(),
    ];
    flags.extend(root_flags.iter().map(|flag| format!("--{flag}={root}")));
    let localhost = if own_root { "anywhere" } else { "loopback" };
    flags.extend(options.or_else(|| {
        let flag = side.localhost_too?;
        Some(format!("--{flag}={localhost}"))
    }));
    Ok(flags)
}

fn options(side: &Side, options: Option<Value>) -> Result<Option<String>, String> {
    let pairs = match options {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(pairs)) => pairs,
        Some(_) => return Err(format!("`{OPTIONS}` is a list of pairs")),
    };
    let mut flag = None;
    for pair in pairs {
        let Some([Value::String(name), value]) = pair.as_array().map(Vec::as_slice) else {
            return Err(format!(
                "`{OPTIONS}` holds pairs, such as [\"{NAME_OVERRIDE}\", \"localhost\"]"
            ));
        };
        match (name.as_str(), value, side.server_name) {
            (NAME_OVERRIDE, Value::String(value), Some(name)) => {
                flag = Some(format!("--{name}={value}"));
            }
            (NAME_OVERRIDE, Value::String(_), None) => {
                return Err(format!(
                    "`{OPTIONS}`: {NAME_OVERRIDE} is for whoever connects, and means nothing here"
                ));
            }
            (NAME_OVERRIDE, _, _) => {
                return Err(format!(
                    "`{OPTIONS}`: the value of {NAME_OVERRIDE} is a text"
                ));
            }
            _ => {
                return Err(format!(
                    "`{OPTIONS}`: `{name}` is not known; {NAME_OVERRIDE} is"
                ));
            }
        }
    }
    Ok(flag)
}
