//! The fork server of one run, with the template that has loaded the run's app.

use flwr_daemon::apps::{
    self, AppBundle, AppCommand, AppProcess, ForkServer, Forked, Loaded, Place, Template,
};
use tracing::{debug, info, warn};

/// Starts the ClientApp processes of one run.
#[derive(Debug)]
pub(super) struct RunServer {
    server: ForkServer,
    app: App,
}

/// Whether the processes of the app may share a load of it.
#[derive(Debug)]
enum App {
    /// Not known: no message came yet.
    Unknown,
    /// The processes share the app that this template has loaded.
    Shared(Template),
    /// Each process loads the app itself.
    Alone,
}

impl RunServer {
    pub(super) fn new(server: ForkServer) -> Self {
        Self {
            server,
            app: App::Unknown,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.server.is_running()
    }

    /// A process for the run's next message; `None` where the server must not be forked.
    pub(super) async fn start(
        &mut self,
        command: &AppCommand,
        app: AppBundle<'_>,
        place: Place,
    ) -> Result<Option<AppProcess>, apps::Error> {
        if place == Place::Fresh
            && let Some(process) = self.share(command, app).await
        {
            return Ok(Some(process));
        }
        match self.server.run(command, place).await? {
            Forked::Started(process) => Ok(Some(process)),
            Forked::Refused(reason) => {
                warn!("ClientApp processes of this node start from nothing: {reason}");
                Ok(None)
            }
        }
    }

    /// A process in which the app is loaded, where that is possible.
    async fn share(&mut self, command: &AppCommand, app: AppBundle<'_>) -> Option<AppProcess> {
        let (next, process) = match std::mem::replace(&mut self.app, App::Alone) {
            App::Alone => return None,
            App::Unknown => self.load(command, app).await,
            App::Shared(template) => match template.run(command).await {
                Ok(Forked::Started(process)) => (App::Shared(template), Some(process)),
                Ok(Forked::Refused(reason)) => {
                    tell(&reason);
                    (App::Alone, None)
                }
                Err(_) => {
                    tell("the process that had loaded the app has ended");
                    (App::Alone, None)
                }
            },
        };
        self.app = next;
        process
    }

    /// Loads the app, for the run's first message.
    async fn load(&self, command: &AppCommand, app: AppBundle<'_>) -> (App, Option<AppProcess>) {
        match self.server.load(command, app).await {
            Ok(Loaded::Shared { template, first }) => {
                debug!("the run's app was loaded for all its messages");
                (App::Shared(template), Some(first))
            }
            Ok(Loaded::Alone { first, reason }) => {
                tell(&reason);
                (App::Alone, Some(first))
            }
            Ok(Loaded::Refused(reason)) => {
                tell(&reason);
                (App::Alone, None)
            }
            Err(_) => {
                tell("the process that loaded the app ended");
                (App::Alone, None)
            }
        }
    }
}

fn tell(reason: &str) {
    info!("each message of this run loads the app anew: {reason}");
}
