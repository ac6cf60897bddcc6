//! The examples for Compose and Kubernetes, checked by the schemas of both.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::dist::tools;
use crate::support::build;

const COMPOSE: &str = "examples/compose/compose.yaml";
const KUBERNETES: [&str; 2] = [
    "examples/kubernetes/superlink.yaml",
    "examples/kubernetes/supernode.yaml",
];

/// Checks that the examples have only what their schemas know, and in the right places.
pub(super) fn check() -> Result<()> {
    let bin = tools::schemas()?;
    let mut compose = Command::new(bin.join("check-jsonschema"));
    compose.args(["--builtin-schema", "vendor.compose-spec"]);
    passes(compose.arg(file(COMPOSE)))?;
    let mut kubernetes = Command::new(bin.join("kubernetes-validate"));
    passes(kubernetes.arg("--strict").args(KUBERNETES.map(file)))?;
    println!("the examples for Compose and Kubernetes are as their schemas say");
    Ok(())
}

fn file(name: &str) -> PathBuf {
    build::root().join(name)
}

fn passes(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        bail!("{} failed:\n{said}", build::show(command));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::support::flower;

    #[test]
    fn the_examples_for_containers_run_apps_with_the_release_that_pip_installs() {
        let image = format!("flwr/superexec:{}", flower::RELEASE);
        for name in KUBERNETES.into_iter().chain([COMPOSE]) {
            let text = fs::read_to_string(file(name)).unwrap();
            let images = text.lines().filter(|line| line.contains("flwr/superexec:"));
            let images: Vec<_> = images.collect();
            assert!(!images.is_empty(), "{name} runs no apps");
            for line in images {
                assert!(line.contains(&image), "{name} has {line}, not {image}");
            }
        }
    }
}
