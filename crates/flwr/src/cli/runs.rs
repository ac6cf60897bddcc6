//! The arguments of `flwr log`, `flwr list`, `flwr stop`, `flwr run delete` and `flwr pull`.

use std::time::SystemTime;

use clap::Args;

use super::value::{RunName, lines, run_id, run_name};
use super::{Format, Target};

/// `flwr log`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr log 9296828773063911005                     to the end of the run; Ctrl-C leaves it running
  flwr log latest                                  of your newest run that is not finished
  flwr log 9296828773063911005 --show --tail 20    what there is, the last lines of it
  flwr log 9296828773063911005 --since 10m         what came in the last ten minutes, and what comes")]
pub struct LogArgs {
    /// The run: its id, or `latest`, your newest run that is not finished.
    #[arg(value_name = "RUN_ID", value_parser = run_name, allow_negative_numbers = true)]
    pub run: RunName,
    /// The app and the federation.
    #[command(flatten)]
    pub target: Target,
    /// Follow the log until the run ends (the default).
    #[arg(long, overrides_with = "show")]
    pub stream: bool,
    /// Print what there is and leave.
    #[arg(long, overrides_with = "stream")]
    pub show: bool,
    /// Begin with the last N lines.
    #[arg(long, value_name = "N", value_parser = lines, allow_negative_numbers = true)]
    pub tail: Option<usize>,
    /// Begin at this time: so long ago (10m, 2h), or at a moment (2026-11-21T09:30:00Z).
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<SystemTime>,
}

/// `flwr list`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr list                                        of the app's default federation, or of yours
  flwr ls hospital --watch                         again and again
  flwr ls --format json | jq -r '.runs[0].status'  finished:completed")]
pub struct ListArgs {
    /// The app and the federation.
    #[command(flatten)]
    pub target: Target,
    /// List all runs (the default).
    #[arg(long, conflicts_with = "run_id")]
    pub runs: bool,
    /// List this run only.
    #[arg(long, value_name = "RUN_ID", value_parser = run_id, allow_negative_numbers = true)]
    pub run_id: Option<u64>,
    /// List them again every two seconds, until Ctrl-C.
    #[arg(long, short)]
    pub watch: bool,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

/// `flwr stop`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr stop 9296828773063911005 hospital
  flwr stop latest                  your newest run that is not finished; asks where nobody logs in
  flwr stop latest --yes            asks nothing, as for scripts")]
pub struct StopArgs {
    /// The run: its id, or `latest`, your newest run that is not finished.
    #[arg(value_name = "RUN_ID", value_parser = run_name, allow_negative_numbers = true)]
    pub run: RunName,
    /// The app and the federation.
    #[command(flatten)]
    pub target: Target,
    /// Stop `latest` without asking, also where nobody logs in.
    #[arg(long, short)]
    pub yes: bool,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

/// `flwr run delete`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flwr run delete 9296828773063911005 hospital

The SuperLink can do it by itself: `flower-superlink --keep-runs 90d`.")]
pub struct DeleteArgs {
    /// The run. It must be finished: `flwr stop` ends it.
    #[arg(value_name = "RUN_ID", value_parser = run_id, allow_negative_numbers = true)]
    pub run_id: u64,
    /// The app and the federation.
    #[command(flatten)]
    pub target: Target,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

/// `flwr pull`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flwr pull 9296828773063911005 hospital

flwr 1.25 and earlier have: flwr pull . hospital --run-id 9296828773063911005")]
pub struct PullArgs {
    /// The app and the federation; or the run, and then the federation.
    #[command(flatten)]
    pub target: Target,
    /// The run.
    #[arg(long, value_name = "RUN_ID", value_parser = run_id, allow_negative_numbers = true)]
    pub run_id: Option<u64>,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

impl PullArgs {
    /// The run, and where it is. `None`: no run is named.
    #[must_use]
    pub fn run(&self) -> Option<(u64, Target)> {
        if let Some(run) = self.run_id {
            return Some((run, self.target.clone()));
        }
        let run = run_id(self.target.app.to_str()?).ok()?;
        let target = Target {
            app: ".".into(),
            ..self.target.clone()
        };
        Some((run, target))
    }
}

/// Parses `--since`: a moment, or a span that ends now.
#[expect(
    clippy::disallowed_methods,
    reason = "a span on the command line ends at the time of the command"
)]
fn since(text: &str) -> Result<SystemTime, String> {
    if let Ok(moment) = humantime::parse_rfc3339_weak(text) {
        return Ok(moment);
    }
    let span = humantime::parse_duration(text)
        .map_err(|_| "neither a span like `10m` nor a moment like `2026-11-21T09:30:00Z`")?;
    SystemTime::now()
        .checked_sub(span)
        .ok_or_else(|| "that is before time began".to_owned())
}
