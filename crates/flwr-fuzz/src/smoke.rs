//! A short run of every target with a stable toolchain.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Target;
use crate::mutate::{Random, mutated};

/// Files of a corpus at most: `cargo fuzz cmin` keeps what a corpus needs.
pub const MOST_FILES: usize = 200;
/// Bytes of a corpus at most.
pub const MOST_BYTES: usize = 256 << 10;

/// How long a target is played.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Executions at most. The seeds and the corpus are played in any case.
    pub executions: usize,
    /// The time after which no further execution begins.
    pub time: Duration,
    /// Determines the mutations.
    pub seed: u64,
}

/// What a target did.
#[derive(Debug)]
pub struct Played {
    /// Seeds and files of the corpus.
    pub inputs: usize,
    /// All inputs that were parsed.
    pub executions: usize,
}

/// Why a target failed.
#[derive(Debug)]
pub enum Failure {
    /// The parser panicked. The input is kept in this file.
    Panicked(PathBuf),
    /// The corpus has this many files and bytes, which is too much.
    Corpus(usize, usize),
}

/// Plays a target: its seeds, the files in `corpus`, and mutations of both. An input at which the
/// parser panics goes to a file in `artifacts`.
///
/// # Errors
/// If the parser panics, or the corpus is too large.
pub fn play(
    target: &Target,
    corpus: &Path,
    artifacts: &Path,
    bounds: Bounds,
) -> Result<Played, Failure> {
    let mut inputs = (target.seeds)();
    let kept = files(corpus);
    let bytes = kept.iter().map(Vec::len).sum();
    if kept.len() > MOST_FILES || bytes > MOST_BYTES {
        return Err(Failure::Corpus(kept.len(), bytes));
    }
    inputs.extend(kept);
    fs::create_dir_all(artifacts).unwrap();
    for input in &inputs {
        try_one(target, input, artifacts)?;
    }
    let (mut random, began) = (Random(bounds.seed), Instant::now());
    let mut executions = inputs.len();
    while executions < bounds.executions && began.elapsed() < bounds.time {
        try_one(target, &mutated(&inputs, &mut random), artifacts)?;
        executions += 1;
    }
    let inputs = inputs.len();
    Ok(Played { inputs, executions })
}

fn try_one(target: &Target, input: &[u8], artifacts: &Path) -> Result<(), Failure> {
    // A parser that hangs or aborts leaves its input, too.
    let path = artifacts.join(target.name);
    fs::write(&path, input).unwrap();
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    if outcome.is_err() {
        return Err(Failure::Panicked(path));
    }
    let _ = fs::remove_file(path);
    Ok(())
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        executions: 50,
        time: Duration::from_secs(60),
        seed: 7,
    };
    const FRAGILE: Target = Target {
        name: "fragile",
        what: "breaks at a quote",
        run: |input| assert!(!input.contains(&b'"')),
        seeds: || vec![b"good".to_vec()],
    };

    fn play(corpus: &Path, target: &Target) -> Result<Played, Failure> {
        super::play(target, corpus, &corpus.join("artifacts"), BOUNDS)
    }

    #[test]
    fn an_input_at_which_a_parser_panics_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let corpus = dir.path().join("corpus");
        fs::create_dir(&corpus).unwrap();
        fs::write(corpus.join("one"), "a \" b").unwrap();
        let artifacts = dir.path().join("artifacts");
        let failure = super::play(&FRAGILE, &corpus, &artifacts, BOUNDS).unwrap_err();
        let Failure::Panicked(path) = failure else {
            panic!("{failure:?}");
        };
        assert_eq!(fs::read(path).unwrap(), b"a \" b");
    }

    #[test]
    fn executions_are_counted_and_a_large_corpus_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let sound = Target {
            run: |_| {},
            ..FRAGILE
        };
        let played = play(dir.path(), &sound).unwrap();
        assert_eq!((played.inputs, played.executions), (1, 50));
        let large = dir.path().join("large");
        fs::create_dir(&large).unwrap();
        fs::write(large.join("file"), vec![0; MOST_BYTES + 1]).unwrap();
        let refused = play(&large, &sound).unwrap_err();
        assert!(matches!(refused, Failure::Corpus(1, _)), "{refused:?}");
    }

    #[test]
    fn each_target_of_cargo_fuzz_has_its_parser() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
        let mut found: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|file| {
                file.unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .display()
                    .to_string()
            })
            .collect();
        found.sort();
        let mut expected: Vec<_> = crate::TARGETS.iter().map(|target| target.name).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}
