//! What must be the same at all SuperLinks that work with one database.

use std::fs;
use std::io;
use std::path::PathBuf;

use flwr_core::object::ObjectId;
use flwr_security::key::PrivateKey;

use crate::args::{Args, ClientAuth};
use crate::link::state::Prints;

/// Hexadecimal digits of a hash.
const DIGITS: usize = 32;

/// The settings by which callers are let in.
#[derive(Debug, Clone)]
pub struct SharedSettings {
    /// Files, which may change.
    files: Vec<(&'static str, Option<PathBuf>)>,
    /// All else, as text that is no secret.
    values: Vec<(&'static str, Option<String>)>,
}

impl SharedSettings {
    /// The settings of a command line, with the SuperLink's own key if it was read.
    pub(super) fn of(args: &Args, own_key: Option<&PrivateKey>) -> Self {
        let on = |is_on: bool| is_on.then(|| "on".to_owned());
        Self {
            files: args
                .shared_files()
                .map(|(flag, file)| (flag, file.clone()))
                .into(),
            values: vec![
                ("--insecure", on(args.insecure)),
                ("--enable-supernode-auth", on(args.enable_supernode_auth)),
                (
                    "--control-client-auth none",
                    on(args.control_client_auth == ClientAuth::None),
                ),
                // Of a private key, the public half.
                (
                    "--auth-superlink-private-key",
                    own_key.map(|key| key.public_key().to_openssh()),
                ),
            ],
        }
    }

    /// The hash of each.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn prints(&self) -> io::Result<Prints> {
        let print = |bytes: &[u8]| ObjectId::of(bytes).to_string()[..DIGITS].to_owned();
        let mut prints = Prints::new();
        for (flag, value) in &self.values {
            let value = value.as_ref().map(|value| print(value.as_bytes()));
            prints.insert((*flag).to_owned(), value.unwrap_or_default());
        }
        for (flag, file) in &self.files {
            let content = file.as_ref().map(fs::read).transpose()?;
            let content = content.map(|content| print(&content));
            prints.insert((*flag).to_owned(), content.unwrap_or_default());
        }
        Ok(prints)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn prints(flags: &[&str]) -> Prints {
        let args = Args::parse_from([&["flower-superlink"], flags].concat());
        SharedSettings::of(&args, None).prints().unwrap()
    }

    #[test]
    fn a_print_follows_the_content_of_a_file_and_not_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str, content: &str| {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let flag = "--auth-list-public-keys";
        let [one, same, other] = [at("a", "key 1"), at("b", "key 1"), at("c", "key 2")];
        let of = |file: &String| prints(&[flag, file])[flag].clone();
        assert_eq!(of(&one), of(&same));
        assert_ne!(of(&one), of(&other));
        assert_eq!(of(&one).len(), DIGITS);
        assert!(prints(&[])[flag].is_empty());
        assert_ne!(prints(&["--insecure"]), prints(&[]));
    }

    #[test]
    fn the_print_of_a_private_key_is_that_of_its_public_half() {
        let key = PrivateKey::generate().unwrap();
        let args = Args::parse_from(["flower-superlink"]);
        let prints = SharedSettings::of(&args, Some(&key)).prints().unwrap();
        let public = ObjectId::of(key.public_key().to_openssh().as_bytes()).to_string();
        assert_eq!(prints["--auth-superlink-private-key"], public[..DIGITS]);
    }
}
