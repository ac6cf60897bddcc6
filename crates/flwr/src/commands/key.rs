//! `flwr key new`: makes key pairs for SuperNodes, and the list of their public keys.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use flwr_security::key::PrivateKey;

use crate::cli::KeyNewArgs;
use crate::error::{Error, Result};
use crate::render::Output;

const DIRECTORY: &str = "keys";
/// What `--auth-list-public-keys` of the SuperLink takes.
const LIST: &str = "client_public_keys.csv";

pub(super) fn new(args: &KeyNewArgs, output: &mut Output) -> Result<()> {
    make(Path::new(DIRECTORY), args, output)
}

fn make(directory: &Path, args: &KeyNewArgs, output: &mut Output) -> Result<()> {
    let list = directory.join(LIST);
    let pairs: Vec<_> = (1..=args.count)
        .map(|n| directory.join(format!("client_credentials_{n}")))
        .collect();
    // All are looked at before the first is written: a list must not lose keys that are in use.
    let mut files = pairs
        .iter()
        .flat_map(|path| [path.clone(), path.with_extension("pub")])
        .chain([list.clone()]);
    if let Some(path) = files.find(|path| !args.force && path.exists()) {
        return Err(Error::Exists(path));
    }
    let write = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Write { path, source }
    };
    // Whatever the umask: who may write here chooses which SuperNodes come in.
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)
        .map_err(write(directory))?;
    let mut lines = Vec::new();
    for path in &pairs {
        let key = PrivateKey::generate().map_err(|error| Error::Keys(error.into()))?;
        let public = key
            .write_openssh_pair(path, args.force)
            .map_err(|error| Error::Keys(error.into()))?;
        output.say(&format!("{} and {}", path.display(), public.display()))?;
        lines.push(key.public_key().to_openssh());
    }
    // One line, the keys apart by commas, as Flower's own script writes it.
    let line = lines.join(",") + "\n";
    flwr_security::private_files::replace_with_mode(&list, 0o644, line.as_bytes())
        .map_err(write(&list))?;
    output.success(&format!(
        "{}: the public keys, for `flower-superlink --auth-list-public-keys`",
        list.display()
    ))
}

#[cfg(test)]
mod tests {
    use flwr_security::key::PublicKey;

    use super::*;
    use crate::render::pages;

    #[test]
    fn each_supernode_gets_a_pair_and_the_superlink_a_list() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        let (mut output, ..) = pages(crate::cli::Format::Default, false);
        make(
            &keys,
            &KeyNewArgs {
                count: 2,
                force: false,
            },
            &mut output,
        )
        .unwrap();
        let list = std::fs::read_to_string(keys.join(LIST)).unwrap();
        let cells: Vec<_> = list.trim_end().split(',').collect();
        assert_eq!(cells.len(), 2);
        for (n, cell) in (1..).zip(cells) {
            let private =
                PrivateKey::from_file(&keys.join(format!("client_credentials_{n}"))).unwrap();
            let public =
                PublicKey::from_file(&keys.join(format!("client_credentials_{n}.pub"))).unwrap();
            assert_eq!(private.public_key(), &public);
            assert_eq!(PublicKey::from_openssh(cell).unwrap(), public);
        }
    }

    #[test]
    fn nothing_is_written_over_unless_forced() {
        let directory = tempfile::tempdir().unwrap();
        let (mut output, ..) = pages(crate::cli::Format::Default, false);
        std::fs::write(directory.path().join(LIST), "precious").unwrap();
        let error = make(
            directory.path(),
            &KeyNewArgs {
                count: 1,
                force: false,
            },
            &mut output,
        )
        .unwrap_err();
        assert!(matches!(&error, Error::Exists(path) if path.ends_with(LIST)));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        make(
            directory.path(),
            &KeyNewArgs {
                count: 1,
                force: true,
            },
            &mut output,
        )
        .unwrap();
        assert!(
            std::fs::read_to_string(directory.path().join(LIST))
                .unwrap()
                .starts_with("ecdsa-sha2-nistp384 ")
        );
    }
}
