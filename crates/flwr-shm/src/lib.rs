//! Bodies in shared memory. A sender writes a body to a file in memory (memfd_create(2)), seals the file, and
//! sends its descriptor over a Unix socket. The receiver maps the file: the body is not copied.
//!
//! Nobody can write to a sealed file, cut it or make it longer, its sender included, and the seals cannot
//! be taken off. A receiver reads the seals back before it believes in them: see [`Sealed::check`].
//!
//! This is the only crate of the workspace with `unsafe` code: one block, which maps a sealed file.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use bytes::Bytes;
use memmap2::{Mmap, MmapOptions};
use rustix::fs::{
    MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, fstatfs, memfd_create,
};
use thiserror::Error;

mod known;

pub use known::file_of;

/// The file system of files in memory with ordinary pages (`TMPFS_MAGIC`). Mappings of others may break
/// when they are read: those of huge pages where the system has none left.
const TMPFS: u64 = 0x0102_1994;

/// The seals by which a body cannot change any more.
const SEALS: SealFlags = SealFlags::SEAL
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE);

/// A body that is being written.
#[derive(Debug)]
pub struct Draft(File);

/// A body that was received, and that cannot change.
#[derive(Debug)]
pub struct Sealed {
    file: OwnedFd,
    length: usize,
}

/// Why a descriptor is not taken as a body.
#[derive(Debug, Error)]
pub enum Refused {
    /// The body is longer than its receiver takes.
    #[error("the body has {length} bytes, and at most {limit} are taken")]
    TooLong {
        /// Bytes, as announced.
        length: u64,
        /// Bytes that are taken.
        limit: u64,
    },
    /// The descriptor is not one of a file in memory.
    #[error("the descriptor is not one of a file in memory")]
    NoMemory,
    /// Somebody could still change the body.
    #[error("the file in memory is not sealed against writing, growing, shrinking and other seals")]
    NotSealed,
    /// The file has another length than was announced.
    #[error("the file in memory has {found} bytes, and {announced} were announced")]
    OtherLength {
        /// Bytes of the file.
        found: u64,
        /// Bytes, as announced.
        announced: u64,
    },
    /// The system does not tell.
    #[error("the descriptor cannot be looked at")]
    System(#[from] io::Error),
}

impl Draft {
    /// An empty body.
    ///
    /// # Errors
    /// The system has no descriptor or no memory left.
    pub fn new() -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        Ok(Self(memfd_create("flwr-body", flags)?.into()))
    }

    /// Seals the body.
    ///
    /// # Errors
    /// The system refuses.
    pub fn seal(self) -> io::Result<OwnedFd> {
        let file = OwnedFd::from(self.0);
        fcntl_add_seals(&file, SEALS)?;
        Ok(file)
    }

    /// Seals the body and maps it. [`file_of`] knows the file of the bytes for as long as they are held.
    ///
    /// # Errors
    /// The system refuses, or has no room for the mapping.
    pub fn finish(self) -> io::Result<Bytes> {
        let file = self.seal()?;
        let length = usize::try_from(fstat(&file)?.st_size).map_err(io::Error::other)?;
        if length == 0 {
            return Ok(Bytes::new());
        }
        let sealed = Sealed { file, length };
        let mapping = sealed.mapping()?;
        Ok(known::bytes_of(mapping, sealed.file))
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sealed {
    /// Takes a descriptor as a body of `length` bytes, as its sender announces. Nothing is mapped yet.
    ///
    /// # Errors
    /// The body is longer than `limit`, can still change, or is not as long as announced.
    pub fn check(file: OwnedFd, length: u64, limit: usize) -> Result<Self, Refused> {
        let most = limit as u64;
        let announced = match usize::try_from(length) {
            Ok(announced) if announced <= limit => announced,
            _ => {
                return Err(Refused::TooLong {
                    length,
                    limit: most,
                });
            }
        };
        // Other files have no seals at all.
        let seals = fcntl_get_seals(&file).map_err(|_| Refused::NoMemory)?;
        let system = fstatfs(&file).map_err(io::Error::from)?;
        if u64::try_from(system.f_type).ok() != Some(TMPFS) {
            return Err(Refused::NoMemory);
        }
        if !seals.contains(SEALS) {
            return Err(Refused::NotSealed);
        }
        // After the seals: before them the length could still change.
        let found = fstat(&file).map_err(io::Error::from)?.st_size;
        let found = u64::try_from(found).unwrap_or_default();
        if found != length {
            return Err(Refused::OtherLength {
                found,
                announced: length,
            });
        }
        Ok(Self {
            file,
            length: announced,
        })
    }

    /// Bytes of the body.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether the body has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The body, mapped into memory. The mapping ends with the last clone of the bytes.
    ///
    /// # Errors
    /// The system has no room for the mapping.
    pub fn map(self) -> io::Result<Bytes> {
        if self.is_empty() {
            // Linux maps nothing of no length.
            return Ok(Bytes::new());
        }
        Ok(Bytes::from_owner(self.mapping()?))
    }

    /// Maps the whole file, which is not empty.
    #[expect(unsafe_code, reason = "the mapping that this crate is for")]
    fn mapping(&self) -> io::Result<Mmap> {
        let mut options = MmapOptions::new();
        // With all pages at once: a fault for each would cost more than what is read from it. Private, as
        // Linux before 6.7 refuses to share a file that is sealed against writing.
        let options = options.len(self.length).populate();
        // SAFETY: What must not happen is that the bytes change, or that the file becomes shorter than the
        // mapping, while a `&[u8]` of it lives. `Sealed` is made in two places. `check` has read
        // F_SEAL_WRITE, F_SEAL_SHRINK and F_SEAL_GROW back from this very descriptor, and F_SEAL_SEAL;
        // `finish` has set all four, and Linux has said that they are set. No seal is ever taken off. Linux
        // sets F_SEAL_WRITE only while no writable shared mapping of the file exists, and from then on
        // refuses each write(2) and each new such mapping, by whichever descriptor (fcntl(2)). The length
        // was read after the seals, so that the file has `length` bytes for as long as it exists, and the
        // mapping keeps the file. The file is one of tmpfs with ordinary pages, as `check` has seen and
        // `Draft::new` has asked for: its pages are there whenever they are read.
        unsafe { options.map_copy_read_only(&self.file) }
    }
}

#[cfg(test)]
mod tests;
