//! What NVIDIA's driver says of the GPUs of this machine, read by the program that comes with the driver.
//! A machine without the program has no such numbers.
//!
//! The library of the driver would be faster. It is opened at run time, which static programs cannot do.

use std::process::Stdio;
use std::time::Duration;

use flwr_metrics::{Levels, Registry, Word};
use tokio::process::Command;
use tokio::time::timeout;
use tracing::debug;

const PROGRAM: &str = "nvidia-smi";
const QUERY: [&str; 2] = [
    "--query-gpu=memory.used,memory.total,utilization.gpu",
    "--format=csv,noheader,nounits",
];
/// How long the program may take. Prometheus waits for 10 s.
const PATIENCE: Duration = Duration::from_secs(3);
/// The words for GPUs, in the order of the driver. A machine has 16 at most.
const WORDS: [Word; 16] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15",
];

/// The GPUs of this machine. Clones share their values.
#[derive(Clone, Debug)]
pub(super) struct Gpus {
    used: Levels,
    total: Levels,
    busy: Levels,
}

/// What the driver says of one GPU. What it does not know is not told.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Gpu {
    used: Option<f64>,
    total: Option<f64>,
    busy: Option<f64>,
}

impl Gpus {
    pub(super) fn new() -> Self {
        let [used, total, busy] = [(); 3].map(|()| Levels::new("gpu"));
        Self { used, total, busy }
    }

    /// Names what is read.
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Memory of a GPU that is in use";
        self.used
            .register(registry, "flwr_gpu_memory_used_bytes", help);
        let help = "Memory of a GPU";
        self.total.register(registry, "flwr_gpu_memory_bytes", help);
        let help = "Share of the last moment in which a GPU was busy, from 0 to 1";
        self.busy
            .register(registry, "flwr_gpu_utilization_ratio", help);
    }

    /// Asks the driver. GPUs that it does not name any more are gone from the page.
    pub(super) async fn refresh(&self) {
        let gpus = read().await;
        for levels in [&self.used, &self.total, &self.busy] {
            levels.clear();
        }
        for (gpu, word) in gpus.into_iter().zip(WORDS) {
            for (levels, value) in [
                (&self.used, gpu.used),
                (&self.total, gpu.total),
                (&self.busy, gpu.busy),
            ] {
                if let Some(value) = value {
                    levels.set_to(word, value);
                }
            }
        }
    }
}

/// The GPUs of the driver, in its order. None: there is no driver, or it does not answer.
async fn read() -> Vec<Gpu> {
    let mut command = Command::new(PROGRAM);
    command
        .args(QUERY)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            parse(&String::from_utf8_lossy(&output.stdout))
        }
        Ok(Ok(output)) => {
            debug!("{PROGRAM}: {}", output.status);
            Vec::new()
        }
        // Most machines do not have the program.
        Ok(Err(_)) => Vec::new(),
        Err(_) => {
            debug!("{PROGRAM} gave no answer within {} s", PATIENCE.as_secs());
            Vec::new()
        }
    }
}

/// A line for each GPU: mebibytes in use, mebibytes, and per cent, or words where a number is not known.
fn parse(text: &str) -> Vec<Gpu> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let gpu = |line: &str| {
        let mut numbers = line.split(',').map(|number| {
            let number = number.trim().parse::<f64>().ok()?;
            (number.is_finite() && number >= 0.0).then_some(number)
        });
        let mut next = |factor: f64| numbers.next().flatten().map(|number| number * factor);
        let mebibyte = f64::from(1 << 20);
        Gpu {
            used: next(mebibyte),
            total: next(mebibyte),
            busy: next(0.01),
        }
    };
    lines.map(gpu).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_tells_of_each_gpu_what_it_knows() {
        let mebibyte = f64::from(1 << 20);
        let of = |used, total, busy| Gpu { used, total, busy };
        for (text, expected) in [
            (
                "1024, 24576, 50\n0, 81920, 0\n",
                vec![
                    of(Some(1024.0 * mebibyte), Some(24576.0 * mebibyte), Some(0.5)),
                    of(Some(0.0), Some(81920.0 * mebibyte), Some(0.0)),
                ],
            ),
            // A part of a GPU (MIG), and one without memory of its own.
            (
                "[N/A], 24576, [N/A]\n[Not Supported], [N/A], 7",
                vec![
                    of(None, Some(24576.0 * mebibyte), None),
                    of(None, None, Some(0.07)),
                ],
            ),
            ("", vec![]),
            ("No devices were found\n", vec![of(None, None, None)]),
            ("-1, NaN, inf\n", vec![of(None, None, None)]),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
