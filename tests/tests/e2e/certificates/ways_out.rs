//! The commands that errors give: they are run, and what they make is used.

use std::fs;
use std::path::{Path, PathBuf};

use e2e::tools;

use super::look::{MADE, check, start};

/// The command that an error gives, between the last backticks.
fn way_out(text: &str) -> String {
    let mut parts = text.rsplit('`');
    parts.next();
    parts.next().expect("a command").to_owned()
}

#[test]
fn the_command_that_an_error_gives_makes_the_file_usable() {
    for (name, file) in [
        ("pkcs7", "ca.crt"),
        ("pkcs7-der", "ca.crt"),
        ("der", "ca.crt"),
        ("pkcs12", "ca.crt"),
        ("key-in-pkcs12", "server.key"),
        ("key-in-der", "server.key"),
    ] {
        let folder = MADE.path().join(name);
        let path = |wanted: &str| -> PathBuf { folder.join(wanted) };
        let (ca, certificate, key) = (path("ca.crt"), path("server.pem"), path("server.key"));
        let mut refused = start(&format!("{name}-before"), &ca, &certificate, &key);
        assert!(!refused.listens, "{name}");
        let said = refused.process.all_lines().join("\n");
        let mut command = way_out(&said);
        // openssl asks people.
        if command.contains("pkcs12") {
            command += " -passin pass:x";
        }
        tools::run(&folder, &command);
        let made = folder.join(format!("{file}.pem"));
        assert!(fs::metadata(&made).is_ok(), "{command}");
        let or = |usual: &Path, wanted: &str| {
            if file == wanted {
                made.clone()
            } else {
                usual.to_owned()
            }
        };
        let mut started = start(
            &format!("{name}-after"),
            &or(&ca, "ca.crt"),
            &certificate,
            &or(&key, "server.key"),
        );
        let (works, text) = check(&or(&ca, "ca.crt"), &started.address);
        assert!(works, "{name}: {command}\n{text}");
        started.process.stop();
    }
}
