//! What `flwrd superlink` adds to the start of a SuperLink, from the command to the first connection.

use anyhow::{Context, Result};

use super::figures::{Maker, median};
use super::stage::Stage;

/// Starts of each kind, in turns with the other kind.
const TURNS: usize = 20;

pub(super) fn measure(stage: &Stage) -> Result<()> {
    let (mut alone, mut through) = (Vec::new(), Vec::new());
    // The first start finds cold caches, and does not count.
    stage.superlink::<&str>(Maker::Ours, &[])?.stop()?;
    for turn in 0..2 * TURNS {
        let is_through = turn % 2 == 1;
        let superlink = match is_through {
            true => stage.superlink_through_flwrd()?,
            false => stage.superlink::<&str>(Maker::Ours, &[])?,
        };
        let kind = if is_through { &mut through } else { &mut alone };
        kind.push(superlink.started.as_secs_f64() * 1e3);
        superlink.stop()?;
    }
    println!("\nfrom start to serving, milliseconds: fastest, median, slowest of {TURNS}");
    for (what, times) in [("flower-superlink", &alone), ("flwrd superlink", &through)] {
        let middle = median(times.clone()).context("nothing was measured")?;
        let fastest = times.iter().copied().fold(f64::INFINITY, f64::min);
        let slowest = times.iter().copied().fold(0.0, f64::max);
        println!("{what:<20}{fastest:>8.1}{middle:>8.1}{slowest:>8.1}");
    }
    Ok(())
}
