//! What is kept of a run from one message to the next: the app, its configuration, and the
//! state that the ClientApp keeps in its Context.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::config::{self, ConfigError, UserConfig};
use flwr_core::fab::{Fab, FabError};
use flwr_core::id::{NodeId, RunId};
use flwr_proto as proto;
use tokio::time::Instant;

/// How long a run may be idle before the SuperLink is asked whether it is over.
const IDLE: Duration = Duration::from_secs(60);

/// What every ClientApp of a run gets.
#[derive(Debug)]
pub(crate) struct RunInputs {
    pub(crate) run: proto::Run,
    pub(crate) fab: proto::Fab,
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
pub(crate) struct Runs(HashMap<RunId, Kept>);

#[derive(Debug)]
struct Kept {
    inputs: Arc<RunInputs>,
    state: Option<proto::RecordDict>,
    looked_at: Instant,
}

impl RunInputs {
    /// Checks the app bundle, and lays the run's overrides over its configuration.
    pub(crate) fn new(run: proto::Run, fab: Option<proto::Fab>) -> Result<Self, InputsError> {
        let content = fab
            .map(|fab| fab.content)
            .filter(|content| !content.is_empty());
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
        let overrides =
            config::from_wire(run.override_config.clone()).map_err(InputsError::Config)?;
        let run_config =
            config::fuse(&fab.manifest().config, &overrides).map_err(InputsError::Config)?;
        let fab = proto::Fab {
            hash_str: fab.hash,
            content: fab.bytes,
        };
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
    pub(crate) fn bound(run: proto::Run, app: &Fab) -> Result<Self, InputsError> {
        let run_config =
            config::from_wire(run.override_config.clone()).map_err(InputsError::Config)?;
        let run = proto::Run {
            fab_id: app.fab_id(),
            fab_version: app.manifest().version.clone(),
            fab_hash: app.hash.clone(),
            ..run
        };
        let fab = proto::Fab {
            hash_str: app.hash.clone(),
            content: app.bytes.clone(),
        };
        Ok(Self {
            run,
            fab,
            run_config,
        })
    }
}

impl Runs {
    pub(crate) fn inputs(&mut self, run: RunId) -> Option<Arc<RunInputs>> {
        let kept = self.0.get_mut(&run)?;
        kept.looked_at = Instant::now();
        Some(Arc::clone(&kept.inputs))
    }

    pub(crate) fn add(&mut self, run: RunId, inputs: RunInputs) -> Arc<RunInputs> {
        let inputs = Arc::new(inputs);
        self.0.insert(
            run,
            Kept {
                inputs: Arc::clone(&inputs),
                state: None,
                looked_at: Instant::now(),
            },
        );
        inputs
    }

    /// The Context for the run's next message.
    pub(crate) fn context(
        &self,
        run: RunId,
        node: NodeId,
        node_config: &UserConfig,
    ) -> proto::Context {
        let kept = self.0.get(&run);
        proto::Context {
            run_id: run.0,
            node_id: node.0,
            node_config: config::to_wire(node_config),
            state: Some(kept.and_then(|kept| kept.state.clone()).unwrap_or_default()),
            run_config: kept
                .map(|kept| config::to_wire(&kept.inputs.run_config))
                .unwrap_or_default(),
        }
    }

    /// Keeps the state that the ClientApp left in its Context.
    pub(crate) fn keep(&mut self, run: RunId, context: proto::Context) {
        if let Some(kept) = self.0.get_mut(&run) {
            kept.state = context.state;
            kept.looked_at = Instant::now();
        }
    }

    /// The run is over.
    pub(crate) fn forget(&mut self, run: RunId) {
        self.0.remove(&run);
    }

    /// A run that was idle for so long that it may be over. It counts as looked at.
    pub(crate) fn idle(&mut self) -> Option<RunId> {
        let now = Instant::now();
        let (run, kept) = self
            .0
            .iter_mut()
            .find(|(_, kept)| now - kept.looked_at >= IDLE)?;
        kept.looked_at = now;
        Some(*run)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use bytes::Bytes;
    use flwr_core::config::Scalar;
    use flwr_core::fab;

    use super::*;

    /// A small app bundle with `lr = 0.1` in its configuration.
    pub(crate) fn bundle() -> Fab {
        let project = "[project]\nname = \"mini\"\nversion = \"1.0.0\"\n[tool.flwr.app]\npublisher = \"pub\"\n\
            [tool.flwr.app.components]\nserverapp = \"mini.s:app\"\nclientapp = \"mini.c:app\"\n\
            [tool.flwr.app.config]\nlr = 0.1\n";
        let file = |path: &str| (path.to_owned(), Bytes::from_static(b"app = 1\n"));
        fab::build(project, vec![file("mini/c.py"), file("mini/s.py")]).unwrap()
    }

    fn run(overrides: &[(&str, Scalar)]) -> (proto::Run, proto::Fab) {
        let fab = bundle();
        let override_config = overrides
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone().into()))
            .collect();
        let run = proto::Run {
            run_id: 7,
            fab_hash: fab.hash.clone(),
            override_config,
            ..Default::default()
        };
        (
            run,
            proto::Fab {
                hash_str: fab.hash,
                content: fab.bytes,
            },
        )
    }

    #[test]
    fn overrides_lie_over_the_apps_configuration() {
        let (run, fab) = run(&[("lr", Scalar::Float(0.5))]);
        let mut runs = Runs::default();
        runs.add(RunId(7), RunInputs::new(run, Some(fab)).unwrap());
        let context = runs.context(
            RunId(7),
            NodeId(9),
            &UserConfig::from([("k".to_owned(), Scalar::Int(1))]),
        );
        assert_eq!(context.run_config["lr"], Scalar::Float(0.5).into());
        assert_eq!(context.node_config["k"], Scalar::Int(1).into());
        assert_eq!((context.run_id, context.node_id), (7, 9));
    }

    #[test]
    fn a_bound_node_runs_its_own_app_with_the_runs_configuration() {
        let (run, _) = run(&[("batch", Scalar::Int(8))]);
        let own = bundle();
        let inputs = RunInputs::bound(run, &own).unwrap();
        assert_eq!(inputs.run.fab_id, "pub/mini");
        assert_eq!(inputs.run.fab_hash, own.hash);
        assert_eq!(inputs.fab.content, own.bytes);
        assert_eq!(inputs.run_config["batch"], Scalar::Int(8));
    }

    #[test]
    fn bundles_that_do_not_fit_are_refused() {
        let (wanted, fab) = run(&[]);
        assert!(matches!(
            RunInputs::new(wanted.clone(), None),
            Err(InputsError::NoFab(_))
        ));
        let other = proto::Run {
            fab_hash: "0".repeat(64),
            ..wanted.clone()
        };
        assert!(matches!(
            RunInputs::new(other, Some(fab.clone())),
            Err(InputsError::OtherFab { .. })
        ));
        let broken = proto::Fab {
            content: fab.content.slice(..50),
            ..fab
        };
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
        runs.keep(
            RunId(7),
            proto::Context {
                state: state.clone(),
                ..Default::default()
            },
        );
        assert_eq!(
            runs.context(RunId(7), NodeId(9), &UserConfig::new()).state,
            state
        );
        assert_eq!(runs.idle(), None);
        tokio::time::advance(IDLE).await;
        assert_eq!(runs.idle(), Some(RunId(7)));
        assert_eq!(runs.idle(), None, "asked about once a while");
        runs.forget(RunId(7));
        assert!(runs.inputs(RunId(7)).is_none());
    }
}
