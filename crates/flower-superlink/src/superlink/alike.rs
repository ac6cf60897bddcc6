//! Warns of settings that differ between the SuperLinks of a database: at the start, after a reload, and
//! when another SuperLink comes or reloads.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use flwr_daemon::stop::Stopper;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{debug, warn};

use crate::config::SharedSettings;
use crate::error::Result;
use crate::link::Link;
use crate::link::settings::Difference;
use crate::link::state::Prints;

/// How often to look at what others have.
const PERIOD: Duration = Duration::from_secs(10);

/// Compares the settings, until it is time to stop. A notification has everything told again.
pub(super) async fn watch(
    link: Arc<Link>,
    settings: SharedSettings,
    reloaded: Arc<Notify>,
    stopper: Stopper,
) {
    let settings = Arc::new(settings);
    let watch = async {
        let (mut noted, mut told) = (Prints::new(), BTreeSet::new());
        loop {
            if let Err(error) = look(&link, &settings, &mut noted, &mut told).await {
                debug!(%error, "settings could not be compared: tried again");
            }
            tokio::select! {
                () = sleep(PERIOD) => {}
                () = reloaded.notified() => told.clear(),
            }
        }
    };
    stopper.run_until_stopped(watch).await;
}

async fn look(
    link: &Link,
    settings: &Arc<SharedSettings>,
    noted: &mut Prints,
    told: &mut BTreeSet<Difference>,
) -> Result<()> {
    let reading = Arc::clone(settings);
    // A file that cannot be read now is told by whoever reloads it.
    let Ok(Ok(prints)) = spawn_blocking(move || reading.prints()).await else {
        return Ok(());
    };
    if prints != *noted {
        link.note_settings(prints.clone()).await?;
        noted.clone_from(&prints);
    }
    let found: BTreeSet<_> = link
        .differing_settings(&prints)
        .await?
        .into_iter()
        .collect();
    for difference in found.difference(told) {
        warn!("{difference}");
    }
    *told = found;
    Ok(())
}
