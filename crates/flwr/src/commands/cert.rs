//! `flwr cert new`: a certificate authority of one's own, and a SuperLink certificate signed by
//! it.

use std::path::Path;

use flwr_security::pki::{LOCAL_NAMES, Pki, PkiError, Request};

use crate::cli::CertNewArgs;
use crate::error::{Error, Result};
use crate::render::Output;

const DIRECTORY: &str = "certificates";
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

fn error(error: PkiError) -> Error {
    match error {
        PkiError::Exists(path) => Error::Exists(path),
        PkiError::Name(name) => Error::HostName(name),
        error @ (PkiError::Write { .. } | PkiError::Make(_)) => Error::Certificates(error.into()),
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
