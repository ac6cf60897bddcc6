//! `flwr up`, `flwr down` and `flwr status`: a federation on this machine.

use std::time::Duration;

use flwr_core::monotonic;
use flwr_core::port::Control as _;
use flwr_core::port::control::Usage;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;
use toml::Table;

use crate::cli::{DownArgs, StatusArgs, UpArgs};
use crate::connect::SuperLink;
use crate::error::{Error, Result};
use crate::federation::Surroundings;
use crate::local::{self, Local, Packages};
use crate::local_federation::LocalFederation;
use crate::render::{LocalStatus, Output};

/// How long the federation may take to stop: its SuperNodes, then its SuperLink.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(50);
/// How long `flwr status` waits for the SuperLink.
const ANSWER: Duration = Duration::from_secs(5);

/// The local federation, if there can be one.
fn local() -> Result<Local> {
    Surroundings::of_process().local()
}

pub(super) async fn up(args: &UpArgs, output: &mut Output) -> Result<()> {
    let local = local()?;
    if args.in_background {
        // The terminal's signals are not for this process any more.
        rustix::process::setsid().map_err(|error| Error::Runtime(error.into()))?;
        let log = Some(local.log());
        return local::supervise(&local, args.supernodes, Packages::Keep, log, output).await;
    }
    let packages = match args.renew {
        true => Packages::Renew,
        false => Packages::Keep,
    };
    if let Some(description) = local.description()? {
        let is_same = description.supernodes == args.supernodes && !args.renew;
        if args.detach && is_same {
            output.say("The local federation was up already; nothing was started.")?;
            return output.up(&description);
        }
        return Err(Error::LocalUp);
    }
    if args.detach {
        let description = local::start(&local, args.supernodes, packages, output).await?;
        return output.up(&description);
    }
    local::supervise(&local, args.supernodes, packages, None, output).await
}

pub(super) async fn down(args: &DownArgs, output: &mut Output) -> Result<()> {
    let local = local()?;
    match local.description()? {
        None if local.is_tended()? => return Err(Error::LocalStarting),
        None => output.say("The local federation is not up.")?,
        Some(description) => {
            stop(&local, &description).await?;
            output.success("The local federation is stopped.")?;
        }
    }
    if args.clean {
        local.clean()?;
        output.say("Its runs, certificates and keys are deleted.")?;
    }
    Ok(())
}

async fn stop(local: &Local, description: &LocalFederation) -> Result<()> {
    let pid = description.pid.try_into().ok().and_then(Pid::from_raw);
    // The lock is held, so the process is there; if it ends in between, all the better.
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::TERM);
    }
    let deadline = monotonic::now() + PATIENCE;
    while local.is_tended()? {
        if monotonic::now() > deadline {
            return Err(Error::NotDown(description.pid));
        }
        sleep(LOOK).await;
    }
    Ok(())
}

pub(super) async fn status(_args: &StatusArgs, output: &mut Output) -> Result<()> {
    let local = local()?;
    let Some(description) = local.description()? else {
        output.local_status(&LocalStatus::Down)?;
        return Err(Error::Told);
    };
    let (online, usage) = ask(&description).await?;
    let all = online == usize::try_from(description.supernodes).unwrap_or(usize::MAX);
    output.local_status(&LocalStatus::Up {
        description,
        online,
        usage: usage.map(Box::new),
    })?;
    if all { Ok(()) } else { Err(Error::Told) }
}

/// How many SuperNodes are online, and what takes the SuperLink's space.
async fn ask(description: &LocalFederation) -> Result<(usize, Option<Usage>)> {
    let chosen = local::chosen(description, &Table::new(), String::new())?;
    let superlink = SuperLink::connect(&chosen, "status")?;
    // One that does not answer knows of none.
    let answer = tokio::time::timeout(ANSWER, superlink.nodes_online()).await;
    let Ok(Ok(online)) = answer else {
        return Ok((0, None));
    };
    let usage = tokio::time::timeout(ANSWER, superlink.control.usage()).await;
    Ok((online, usage.ok().and_then(Result::ok)))
}
