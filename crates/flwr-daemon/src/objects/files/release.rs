//! The deletion of object files, now or after a pause.

use std::fs;
use std::io;
use std::sync::atomic::Ordering;

use flwr_core::object::ObjectId;

use super::pause::Permit;
use super::{Files, failed};
use crate::objects::Error;

impl Files {
    /// Removes a holder, at once or after the pause.
    pub(super) fn release(&self, id: ObjectId) -> Result<(), Error> {
        let Some(_permit) = self.permit() else {
            self.postponed.lock().push(id);
            return Ok(());
        };
        self.release_now(id)
    }

    /// Removes the holders that were lost in a pause, unless the pause goes on.
    pub(super) fn release_postponed(&self) -> Result<(), Error> {
        let Some(_permit) = self.permit() else {
            return Ok(());
        };
        let postponed = std::mem::take(&mut *self.postponed.lock());
        let released = postponed.into_iter().map(|id| self.release_now(id));
        // A file that stays wastes space. The next start removes the file.
        released.fold(Ok(()), Result::and)
    }

    /// `None`: nothing may be deleted now.
    fn permit(&self) -> Option<Option<Permit>> {
        match &self.pause {
            None => Some(None),
            Some(pause) => pause.permit().map(Some),
        }
    }

    fn release_now(&self, id: ObjectId) -> Result<(), Error> {
        let mut held = self.held(&id);
        if let Some(held) = held.get_mut(&id).filter(|held| held.holders > 1) {
            held.holders -= 1;
            return Ok(());
        }
        if let Some(gone) = held.remove(&id) {
            self.used.fetch_sub(gone.size, Ordering::Relaxed);
        }
        let path = self.path_of(&id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("delete", &path)(error))
            }
            _ => Ok(()),
        }
    }
}
