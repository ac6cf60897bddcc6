//! `flwr completions` and `flwr man`: prints completions for shells, and manual pages.

use std::fs;
use std::io;

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::error::{Error, Result};
use crate::render::Output;

const NAME: &str = "flwr";

pub(super) fn completions(args: &CompletionsArgs, output: &mut Output) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    output.data(&script)
}

pub(super) fn man(args: &ManArgs, output: &mut Output) -> Result<()> {
    // `--version` needs another display name; the pages are called after this one.
    let command = Cli::command().display_name(NAME);
    let Some(directory) = &args.out else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(command).render(&mut page);
        rendered.map_err(Error::Stdout)?;
        return output.data(&page);
    };
    let failed = |source: io::Error| Error::Write {
        path: directory.clone(),
        source,
    };
    fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(command, directory).map_err(failed)?;
    output.success(&format!(
        "Wrote the manual pages to {}",
        directory.display()
    ))
}
