//! `flwr cert`: makes certificate authorities, and signs certificates with them.

use std::path::{Path, PathBuf};

use flwr_security::pki::{
    self, Authority, LOCAL_NAMES, Pki, PkiError, Purpose, Report, Request, Signed,
};
use time::OffsetDateTime;

use crate::cli::{
    CertAuthorityArgs, CertInspectArgs, CertNewArgs, CertRequestArgs, CertServerArgs, CertSignArgs,
    Issuer,
};
use crate::error::{Error, Result};
use crate::render::{Output, printable};

mod passphrase;

const DIRECTORY: &str = "certificates";

/// `flwr cert new`
pub(super) fn new(args: &CertNewArgs, output: &mut Output) -> Result<()> {
    make(Path::new(DIRECTORY), args, output)
}

fn make(directory: &Path, args: &CertNewArgs, output: &mut Output) -> Result<()> {
    let pki = Pki::make(&Request {
        names: args.name.clone(),
        days: args.days,
    })
    .map_err(error)?;
    pki.write(directory, args.force).map_err(error)?;
    let file = |name| directory.join(name).display().to_string();
    output.say(&format!(
        "{}: for SuperNodes (`--root-certificates`) and `flwr`",
        file("ca.crt")
    ))?;
    output.say(&format!(
        "{} and {}: for the SuperLink",
        file("server.pem"),
        file("server.key")
    ))?;
    output.say(&format!(
        "{}: signs further certificates; keep it to yourself",
        file("ca.key")
    ))?;
    let names: Vec<_> = LOCAL_NAMES
        .into_iter()
        .chain(args.name.iter().map(String::as_str))
        .collect();
    output.success(&format!(
        "Valid for {} days, for {}",
        args.days,
        names.join(", ")
    ))
}

/// `flwr cert ca`
pub(super) fn authority(args: &CertAuthorityArgs, output: &mut Output) -> Result<()> {
    let passphrase = passphrase::new(args.passphrase_file.as_deref(), args.encrypt)?;
    let ca = Authority::make(&args.name, args.days, passphrase.as_ref()).map_err(error)?;
    let (certificate, key) = (args.out.join("ca.crt"), args.out.join("ca.key"));
    pki::write(
        &[(&certificate, &ca.certificate), (&key, &ca.key)],
        args.force,
    )
    .map_err(error)?;
    output.say(&format!(
        "{}: for everybody who is to trust what it signs",
        certificate.display()
    ))?;
    let secret = match passphrase {
        Some(_) => "signs; needs its passphrase",
        None => "signs; keep it to yourself",
    };
    output.say(&format!("{}: {secret}", key.display()))?;
    output.success(&format!("Valid for {} days", args.days))
}

/// `flwr cert server`
pub(super) fn server(args: &CertServerArgs, output: &mut Output) -> Result<()> {
    let names = pki::with_local_names(&args.name);
    let issuer = read(&args.issuer)?;
    let server = issuer.issue(&names, args.days, Purpose::Server);
    let server = server.map_err(error)?;
    let (certificate, key) = (args.out.join("server.pem"), args.out.join("server.key"));
    pki::write(
        &[(&certificate, &server.certificate), (&key, &server.key)],
        args.force,
    )
    .map_err(error)?;
    output.say(&format!(
        "{} and {}: for the SuperLink",
        certificate.display(),
        key.display()
    ))?;
    output.success(&format!(
        "Valid for {} days, for {}",
        args.days,
        names.join(", ")
    ))
}

/// `flwr cert request`
pub(super) fn request(args: &CertRequestArgs, output: &mut Output) -> Result<()> {
    let made = pki::request(&args.name).map_err(error)?;
    let at = |ending: &str| {
        let mut path = args.out.clone().into_os_string();
        path.push(ending);
        PathBuf::from(path)
    };
    let (key, request) = (at(".key"), at(".csr"));
    pki::write(
        &[(&key, &made.key), (&request, &made.certificate)],
        args.force,
    )
    .map_err(error)?;
    output.say(&format!("{}: keep it to yourself", key.display()))?;
    output.success(&format!(
        "{}: for `flwr cert sign` at the certificate authority",
        request.display()
    ))
}

/// `flwr cert sign`
pub(super) fn sign(args: &CertSignArgs, output: &mut Output) -> Result<()> {
    let issuer = read(&args.issuer)?;
    let signed = issuer.sign(&args.request, &args.name, args.days, args.usage.into());
    let Signed {
        certificate,
        common_name,
        names,
    } = signed.map_err(error)?;
    let out = args.out.clone();
    let out = out.unwrap_or_else(|| args.request.with_extension("crt"));
    pki::write(&[(&out, &certificate)], args.force).map_err(error)?;
    let owner = common_name.unwrap_or_else(|| "without a Common Name".to_owned());
    output.success(&format!(
        "{}: {owner}, valid for {} days, for {}",
        out.display(),
        args.days,
        names.join(", ")
    ))
}

/// `flwr cert inspect`
pub(super) fn inspect(args: &CertInspectArgs, output: &mut Output) -> Result<()> {
    for file in &args.files {
        for report in pki::inspect(file, OffsetDateTime::now_utc()).map_err(error)? {
            let Report {
                kind,
                facts,
                warnings,
            } = report;
            output.say(&format!("{}: {kind}", file.display()))?;
            for (name, fact) in facts {
                output.say(&format!("  {name:<9}  {}", printable(&fact)))?;
            }
            for warning in warnings {
                output.say(&format!("  warning    {warning}"))?;
            }
        }
    }
    Ok(())
}

fn read(issuer: &Issuer) -> Result<Authority> {
    let asked = || passphrase::known(issuer.passphrase_file.as_deref(), &issuer.ca_key);
    Authority::read(&issuer.ca, &issuer.ca_key, asked).map_err(error)
}

fn error(error: PkiError) -> Error {
    match error {
        PkiError::Exists(path) => Error::Exists(path),
        PkiError::Name(name) => Error::HostName(name),
        error @ (PkiError::Write { .. } | PkiError::Make(_) | PkiError::NewKey(_)) => {
            Error::Certificates(error.into())
        }
        unusable => Error::Pki(unusable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Format;
    use crate::render::pages;

    fn args(force: bool) -> CertNewArgs {
        CertNewArgs {
            name: vec!["superlink.example".into()],
            days: 30,
            force,
        }
    }

    #[test]
    fn a_superlink_gets_what_it_needs_and_peers_what_to_trust() {
        let directory = tempfile::tempdir().unwrap();
        let (mut output, out, _) = pages(Format::Default, false);
        make(directory.path(), &args(false), &mut output).unwrap();
        for name in Pki::FILES {
            let text = std::fs::read_to_string(directory.path().join(name)).unwrap();
            assert!(text.starts_with("-----BEGIN "), "{name}");
        }
        let last = "Valid for 30 days, for localhost, 127.0.0.1, ::1, superlink.example\n";
        assert!(out.text().ends_with(last), "{}", out.text());
    }

    #[test]
    fn nothing_is_written_over_unless_forced() {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("server.key");
        std::fs::write(&key, "precious").unwrap();
        let (mut output, ..) = pages(Format::Default, false);
        let error = make(directory.path(), &args(false), &mut output).unwrap_err();
        assert!(matches!(&error, Error::Exists(path) if *path == key));
        assert_eq!(std::fs::read_to_string(&key).unwrap(), "precious");
        make(directory.path(), &args(true), &mut output).unwrap();
        assert!(
            std::fs::read_to_string(&key)
                .unwrap()
                .contains("PRIVATE KEY")
        );
    }

    #[test]
    fn what_is_no_host_is_refused_as_usage() {
        let directory = tempfile::tempdir().unwrap();
        let (mut output, ..) = pages(Format::Default, false);
        let args = CertNewArgs {
            name: vec!["a b".into()],
            days: 1,
            force: false,
        };
        let error = make(directory.path(), &args, &mut output).unwrap_err();
        assert_eq!(
            (error.exit_code(), error.to_string().as_str()),
            (2, "--name \"a b\" is not a host name or IP address")
        );
    }
}
