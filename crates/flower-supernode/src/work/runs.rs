//! What is kept of a run from one message to the next: the app, its configuration, and the
//! state that the ClientApp keeps in its Context.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flwr_core::config::{self, ConfigError, UserConfig};
use flwr_core::context::{Context, State};
use flwr_core::fab::{Fab, FabError};
use flwr_core::id::{NodeId, RunId};
use flwr_core::monotonic;
use flwr_core::run::AppRun;
use tokio::time::Instant;

/// How long a run may be idle before the SuperLink is asked whether it is over, and how long after
/// an answer it is asked again. pip's SuperNode pulls as often.
const IDLE: Duration = Duration::from_secs(3);

/// What every ClientApp of a run gets.
#[derive(Debug)]
pub(crate) struct RunInputs {
    pub(crate) run: AppRun,
    pub(crate) fab: Fab,
    run_config: UserConfig,
}

/// Why a run's app cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputsError {
    #[error("the SuperLink has no app bundle {0}")]
    NoFab(String),
    #[error("the app bundle {hash} is unusable: {source}")]
    Fab { hash: String, source: FabError },
    #[error("the SuperLink sent app bundle {found} in place of {expected}")]
    OtherFab { found: String, expected: String },
    #[error("the run's configuration does not fit the app: {0}")]
    Config(ConfigError),
}

/// The runs this node has worked for and that are not known to be over.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    kept: HashMap<RunId, Kept>,
    /// Runs with files on disk of which no message came since this process began, and when the
    /// SuperLink is asked whether each is over.
    on_disk: HashMap<RunId, Instant>,
    /// The run whose message is in work. It is asked about all the time, so it is never idle.
    at_work: Option<RunId>,
}

#[derive(Debug)]
struct Kept {
    inputs: Arc<RunInputs>,
    state: Option<State>,
    /// When the SuperLink is asked whether the run is over, if no message comes before.
    ask_at: Instant,
}

impl RunInputs {
    /// Checks the app bundle, and lays the run's overrides over its configuration.
    pub(crate) fn new(run: AppRun, bundle: Option<Bytes>) -> Result<Self, InputsError> {
        let content = bundle.filter(|content| !content.is_empty());
        let content = content.ok_or_else(|| InputsError::NoFab(run.fab_hash.clone()))?;
        let unusable = |source| InputsError::Fab {
            hash: run.fab_hash.clone(),
            source,
        };
        let fab = Fab::open(content).map_err(unusable)?;
        if fab.hash != run.fab_hash {
            return Err(InputsError::OtherFab {
                found: fab.hash,
                expected: run.fab_hash,
            });
        }
        let run_config = config::fuse(&fab.manifest().config, &run.override_config)
            .map_err(InputsError::Config)?;
        Ok(Self {
            run,
            fab,
            run_config,
        })
    }
}

impl RunInputs {
    /// The inputs of a node that runs its own app, whatever app the run has. The configuration is
    /// then what the run says.
    pub(crate) fn bound(run: AppRun, app: &Fab) -> Self {
        Self {
            run_config: run.override_config.clone(),
            run: AppRun {
                fab_id: app.fab_id(),
                fab_version: app.manifest().version.clone(),
                fab_hash: app.hash.clone(),
                ..run
            },
            fab: app.clone(),
        }
    }
}

impl Runs {
    pub(crate) fn inputs(&self, run: RunId) -> Option<Arc<RunInputs>> {
        let kept = self.kept.get(&run)?;
        Some(Arc::clone(&kept.inputs))
    }

    pub(crate) fn add(&mut self, run: RunId, inputs: RunInputs) -> Arc<RunInputs> {
        let inputs = Arc::new(inputs);
        self.on_disk.remove(&run);
        self.kept.insert(
            run,
            Kept {
                inputs: Arc::clone(&inputs),
                state: None,
                ask_at: monotonic::now() + IDLE,
            },
        );
        inputs
    }

    /// The Context for the run's next message.
    pub(crate) fn context(&self, run: RunId, node: NodeId, node_config: &UserConfig) -> Context {
        let kept = self.kept.get(&run);
        let state = kept.and_then(|kept| kept.state.clone()).unwrap_or_default();
        let none = UserConfig::new();
        let run_config = kept.map_or(&none, |kept| &kept.inputs.run_config);
        Context::new((run, run_config), (node, node_config), state)
    }

    /// Keeps the state that the ClientApp left in its Context.
    pub(crate) fn keep(&mut self, run: RunId, context: Context) {
        if let Some(kept) = self.kept.get_mut(&run) {
            kept.state = context.into_state();
        }
    }

    /// Files of these runs are on disk.
    pub(crate) fn remember(&mut self, runs: impl IntoIterator<Item = RunId>) {
        let now = monotonic::now();
        self.on_disk.extend(runs.into_iter().map(|run| (run, now)));
    }

    /// The run is over.
    pub(crate) fn forget(&mut self, run: RunId) {
        self.kept.remove(&run);
        self.on_disk.remove(&run);
    }

    /// Work on a message of this run begins. Most runs begin after another one has ended: a new run
    /// makes all others due.
    pub(crate) fn begin(&mut self, run: RunId) {
        self.at_work = Some(run);
        if !self.kept.contains_key(&run) {
            let now = monotonic::now();
            self.kept.values_mut().for_each(|kept| kept.ask_at = now);
        }
    }

    /// Work on the message has ended. Its run is idle from now on.
    pub(crate) fn rest(&mut self) {
        let rested = self.at_work.take();
        if let Some(kept) = rested.and_then(|run| self.kept.get_mut(&run)) {
            kept.ask_at = monotonic::now() + IDLE;
        }
    }

    pub(crate) fn is_at_work(&self, run: RunId) -> bool {
        self.at_work == Some(run)
    }

    /// All runs that were idle for so long that they may be over. They are due again after a while.
    pub(crate) fn idle(&mut self) -> Vec<RunId> {
        let (now, at_work) = (monotonic::now(), self.at_work);
        let kept = self.kept.iter_mut();
        let kept = kept.map(|(run, kept)| (run, &mut kept.ask_at));
        kept.chain(self.on_disk.iter_mut())
            .filter(|(run, ask_at)| at_work != Some(**run) && now >= **ask_at)
            .map(|(run, ask_at)| {
                *ask_at = now + IDLE;
                *run
            })
            .collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use flwr_core::config::Scalar;
    use flwr_core::fab;
    use flwr_proto as proto;

    use super::*;

    /// A small app bundle with `lr = 0.1` in its configuration.
    pub(crate) fn bundle() -> Fab {
        let project = "[project]\nname = \"mini\"\nversion = \"1.0.0\"\n[tool.flwr.app]\npublisher = \"pub\"\n\
            [tool.flwr.app.components]\nserverapp = \"mini.s:app\"\nclientapp = \"mini.c:app\"\n\
            [tool.flwr.app.config]\nlr = 0.1\n";
        let file = |path: &str| (path.to_owned(), Bytes::from_static(b"app = 1\n"));
        fab::build(project, vec![file("mini/c.py"), file("mini/s.py")]).unwrap()
    }

    fn run(overrides: &[(&str, Scalar)]) -> (AppRun, Bytes) {
        let fab = bundle();
        let override_config = overrides
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect();
        let run = AppRun {
            id: RunId(7),
            fab_id: String::new(),
            fab_version: String::new(),
            fab_hash: fab.hash.clone(),
            override_config,
        };
        (run, fab.bytes)
    }

    #[test]
    fn overrides_lie_over_the_apps_configuration() {
        let (run, fab) = run(&[("lr", Scalar::Float(0.5))]);
        let mut runs = Runs::default();
        runs.add(RunId(7), RunInputs::new(run, Some(fab)).unwrap());
        let context = proto::Context::from(runs.context(
            RunId(7),
            NodeId(9),
            &UserConfig::from([("k".to_owned(), Scalar::Int(1))]),
        ));
        assert_eq!(context.run_config["lr"], Scalar::Float(0.5).into());
        assert_eq!(context.node_config["k"], Scalar::Int(1).into());
        assert_eq!((context.run_id, context.node_id), (7, 9));
    }

    #[test]
    fn a_bound_node_runs_its_own_app_with_the_runs_configuration() {
        let (run, _) = run(&[("batch", Scalar::Int(8))]);
        let own = bundle();
        let inputs = RunInputs::bound(run, &own);
        assert_eq!(inputs.run.fab_id, "pub/mini");
        assert_eq!(inputs.run.fab_hash, own.hash);
        assert_eq!(inputs.fab.bytes, own.bytes);
        assert_eq!(inputs.run_config["batch"], Scalar::Int(8));
    }

    #[test]
    fn bundles_that_do_not_fit_are_refused() {
        let (wanted, fab) = run(&[]);
        assert!(matches!(
            RunInputs::new(wanted.clone(), None),
            Err(InputsError::NoFab(_))
        ));
        let other = AppRun {
            fab_hash: "0".repeat(64),
            ..wanted.clone()
        };
        assert!(matches!(
            RunInputs::new(other, Some(fab.clone())),
            Err(InputsError::OtherFab { .. })
        ));
        let broken = fab.slice(..50);
        assert!(matches!(
            RunInputs::new(wanted, Some(broken)),
            Err(InputsError::Fab { .. })
        ));
        let (unknown_key, fab) = run(&[("learning", Scalar::Float(0.5))]);
        let error = RunInputs::new(unknown_key, Some(fab))
            .unwrap_err()
            .to_string();
        assert!(error.contains("'learning'"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn state_is_kept_until_the_run_is_forgotten() {
        let (wire, fab) = run(&[]);
        let mut runs = Runs::default();
        runs.add(RunId(7), RunInputs::new(wire, Some(fab)).unwrap());
        let item = proto::record_dict::Item {
            key: "seen".to_owned(),
            ..Default::default()
        };
        let state = Some(proto::RecordDict { items: vec![item] });
        let left = proto::Context {
            state: state.clone(),
            ..Default::default()
        };
        runs.keep(RunId(7), left.into());
        let next = runs.context(RunId(7), NodeId(9), &UserConfig::new());
        assert_eq!(proto::Context::from(next).state, state);
        assert_eq!(runs.idle(), []);
        tokio::time::advance(IDLE).await;
        assert_eq!(runs.idle(), [RunId(7)]);
        assert_eq!(runs.idle(), [], "asked about once a while");
        runs.forget(RunId(7));
        assert!(runs.inputs(RunId(7)).is_none());
    }
    #[tokio::test(start_paused = true)]
    async fn all_idle_runs_are_due_at_once_but_for_the_one_at_work() {
        let mut runs = Runs::default();
        for id in 1..=40 {
            let (wire, fab) = run(&[]);
            runs.add(RunId(id), RunInputs::new(wire, Some(fab)).unwrap());
        }
        runs.begin(RunId(7));
        tokio::time::advance(IDLE).await;
        let mut due = runs.idle();
        due.sort();
        let others: Vec<RunId> = (1..=40).filter(|id| *id != 7).map(RunId).collect();
        assert_eq!(due, others);
        runs.rest();
        assert_eq!(runs.idle(), []);
        tokio::time::advance(IDLE).await;
        assert_eq!(runs.idle().len(), 40);
        runs.begin(RunId(7));
        assert_eq!(runs.idle(), []);
        runs.begin(RunId(41));
        assert_eq!(runs.idle().len(), 40, "a new run makes all others due");
    }
}
