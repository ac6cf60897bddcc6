//! The load generator while it runs: takes commands, and tells events.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::stage::Stage;

/// A load generator that runs. It ends with this value.
pub(super) struct Generator {
    child: Child,
    commands: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
}

impl Generator {
    pub(super) fn start(load: &mut Command) -> Result<Self> {
        let mut child = load.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let commands = child.stdin.take();
        let output = child.stdout.take();
        Ok(Self {
            child,
            commands: commands.context("the load generator hears nothing")?,
            events: BufReader::new(output.context("the load generator says nothing")?).lines(),
        })
    }

    /// Starts the load generator with the bundle of the app.
    pub(super) fn start_with_app(stage: &Stage, mut load: Command) -> Result<Self> {
        Self::start(load.arg("--fab").arg(stage.fab()?))
    }

    pub(super) fn tell(&mut self, command: &str) -> Result<()> {
        writeln!(self.commands, "{command}").context("the load generator has ended")
    }

    /// Waits for an event of this name.
    pub(super) fn event(&mut self, name: &str) -> Result<Value> {
        for line in &mut self.events {
            let event: Value = serde_json::from_str(&line?)?;
            if event["event"] == name {
                return Ok(event);
            }
        }
        bail!("the load generator ended without {name}")
    }

    /// Tells a command, and waits for the event of the same name.
    pub(super) fn ask(&mut self, command: &str) -> Result<Value> {
        self.tell(command)?;
        self.event(command)
    }

    /// Ends the load generator in order.
    pub(super) fn quit(mut self) -> Result<()> {
        self.tell("quit")?;
        self.wait()
    }

    /// Waits until it has ended by itself.
    pub(super) fn wait(&mut self) -> Result<()> {
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // Both fail only if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
