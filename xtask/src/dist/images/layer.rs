//! A layer of an image: files in an archive that depends on their names, modes and bytes only. Entries are
//! sorted and have one time; owners are numbers; the compression keeps no time.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};
use tempfile::NamedTempFile;

/// The files of a layer, by their places in the image.
#[derive(Default)]
pub(super) struct Layer(BTreeMap<PathBuf, Entry>);

struct Entry {
    content: Content,
    mode: u32,
    /// The number of the user and of the group.
    owner: u64,
}

enum Content {
    Folder,
    Text(String),
    File(PathBuf),
    Link(PathBuf),
}

impl Layer {
    /// Whether nothing is in the layer.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a folder that belongs to this user and its group.
    pub(super) fn folder(&mut self, place: &str, mode: u32, owner: u64) {
        self.add(Path::new(place), Content::Folder, mode, owner);
    }

    /// Adds a file that everybody may read.
    pub(super) fn text(&mut self, place: &str, text: impl Into<String>) {
        self.add(Path::new(place), Content::Text(text.into()), 0o644, 0);
    }

    /// Adds a copy of a file, with that file's mode.
    pub(super) fn file(&mut self, place: &Path, from: &Path) -> Result<()> {
        let metadata = from.metadata();
        let metadata = metadata.with_context(|| from.display().to_string())?;
        let mode = metadata.permissions().mode() & 0o777;
        self.add(place, Content::File(from.to_owned()), mode, 0);
        Ok(())
    }

    /// Adds what is in a folder at the same places beneath `/`. Folders get the usual mode.
    pub(super) fn tree(&mut self, folder: &Path) -> Result<()> {
        self.walk(folder, folder)
    }

    fn walk(&mut self, root: &Path, folder: &Path) -> Result<()> {
        let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            let place = path.strip_prefix(root)?.to_owned();
            let kind = path.symlink_metadata()?.file_type();
            if kind.is_symlink() {
                let target = fs::read_link(&path)?;
                self.add(&place, Content::Link(target), 0o777, 0);
            } else if kind.is_dir() {
                self.add(&place, Content::Folder, 0o755, 0);
                self.walk(root, &path)?;
            } else {
                self.file(&place, &path)?;
            }
        }
        Ok(())
    }

    /// Adds an entry, and the folders above it that are missing.
    fn add(&mut self, place: &Path, content: Content, mode: u32, owner: u64) {
        let above = place.ancestors().skip(1);
        for folder in above.filter(|folder| !folder.as_os_str().is_empty()) {
            let usual = || Entry {
                content: Content::Folder,
                mode: 0o755,
                owner: 0,
            };
            self.0.entry(folder.to_owned()).or_insert_with(usual);
        }
        let entry = Entry {
            content,
            mode,
            owner,
        };
        self.0.insert(place.to_owned(), entry);
    }

    /// Packs the layer into a folder of blobs.
    pub(super) fn pack(&self, blobs: &Path, epoch: u64) -> Result<Packed> {
        let mut archive = Builder::new(Packer::new(blobs)?);
        for (place, entry) in &self.0 {
            append(&mut archive, place, entry, epoch)
                .with_context(|| format!("{} of an image", place.display()))?;
        }
        archive.into_inner()?.finish()
    }
}

fn append(
    archive: &mut Builder<Packer>,
    place: &Path,
    entry: &Entry,
    epoch: u64,
) -> io::Result<()> {
    let mut header = header(entry.mode, epoch);
    header.set_uid(entry.owner);
    header.set_gid(entry.owner);
    match &entry.content {
        Content::Folder => {
            header.set_entry_type(EntryType::Directory);
            // tar's names of folders end like this.
            archive.append_data(&mut header, place.join(""), io::empty())
        }
        Content::Text(text) => {
            header.set_size(text.len() as u64);
            archive.append_data(&mut header, place, text.as_bytes())
        }
        Content::File(from) => {
            let file = File::open(from)?;
            header.set_size(file.metadata()?.len());
            archive.append_data(&mut header, place, file)
        }
        Content::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            archive.append_link(&mut header, place, target)
        }
    }
}

/// The header of a file of root's.
pub(super) fn header(mode: u32, epoch: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(mode);
    header.set_mtime(epoch);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}

/// A layer among the blobs.
pub(super) struct Packed {
    /// The SHA-256 of the compressed archive, which is the blob's name.
    pub(super) digest: String,
    /// The SHA-256 of the archive.
    pub(super) content: String,
    /// The bytes of the blob.
    pub(super) size: u64,
}

impl Packed {
    /// Packs an archive that is already one of a layer.
    pub(super) fn from_tar(tar: &Path, blobs: &Path) -> Result<Self> {
        let mut packer = Packer::new(blobs)?;
        let mut file = File::open(tar).with_context(|| tar.display().to_string())?;
        io::copy(&mut file, &mut packer)?;
        packer.finish()
    }
}

/// Compresses an archive, and takes the sums of both.
struct Packer {
    content: Hashed<GzEncoder<Hashed<BufWriter<NamedTempFile>>>>,
    blobs: PathBuf,
}

impl Packer {
    fn new(blobs: &Path) -> Result<Self> {
        fs::create_dir_all(blobs).with_context(|| blobs.display().to_string())?;
        let file = BufWriter::new(NamedTempFile::new_in(blobs)?);
        let compressed = GzBuilder::new()
            .mtime(0)
            .write(Hashed::new(file), Compression::best());
        Ok(Self {
            content: Hashed::new(compressed),
            blobs: blobs.to_owned(),
        })
    }

    fn finish(self) -> Result<Packed> {
        let (compressed, content, _) = self.content.end();
        let (file, digest, size) = compressed.finish()?.end();
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.persist(self.blobs.join(&digest))?;
        Ok(Packed {
            digest,
            content,
            size,
        })
    }
}

impl Write for Packer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.content.flush()
    }
}

/// Takes the sum of what is written.
struct Hashed<W> {
    to: W,
    sum: Sha256,
    size: u64,
}

impl<W: Write> Hashed<W> {
    fn new(to: W) -> Self {
        Self {
            to,
            sum: Sha256::new(),
            size: 0,
        }
    }

    /// Gives back what was written to, the sum and the bytes.
    fn end(self) -> (W, String, u64) {
        (self.to, hex::encode(self.sum.finalize()), self.size)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.sum.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Puts bytes among the blobs, and gives their sum.
pub(super) fn put(blobs: &Path, bytes: &[u8]) -> Result<String> {
    let digest = hex::encode(Sha256::digest(bytes));
    fs::write(blobs.join(&digest), bytes).with_context(|| blobs.display().to_string())?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use tar::Archive;

    use super::*;

    /// What an entry of a layer is: its name, mode, owner, group, time and content.
    fn entries(blob: &Path) -> Vec<(String, u32, u64, u64, u64, String)> {
        let mut archive = Archive::new(GzDecoder::new(File::open(blob).unwrap()));
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            if let Some(target) = entry.link_name().unwrap() {
                content = format!("-> {}", target.display());
            }
            let (name, header) = (entry.path().unwrap().display().to_string(), entry.header());
            let owner = (header.uid().unwrap(), header.gid().unwrap());
            let (mode, time) = (header.mode().unwrap(), header.mtime().unwrap());
            (name, mode, owner.0, owner.1, time, content)
        });
        entries.collect()
    }

    #[test]
    fn a_layer_has_sorted_entries_of_one_time_with_numbers_for_owners() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("usr/bin")).unwrap();
        fs::write(tree.join("usr/bin/program"), "bytes").unwrap();
        fs::set_permissions(
            tree.join("usr/bin/program"),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        std::os::unix::fs::symlink("program", tree.join("usr/bin/name")).unwrap();
        let mut layer = Layer::default();
        layer.folder("state", 0o1777, 65532);
        layer.text("etc/group", "root:x:0:\n");
        layer.tree(&tree).unwrap();
        let packed = layer.pack(folder.path(), 1_764_000_000).unwrap();
        let blob = folder.path().join(&packed.digest);
        assert_eq!(fs::metadata(&blob).unwrap().len(), packed.size);
        assert_eq!(
            hex::encode(Sha256::digest(fs::read(&blob).unwrap())),
            packed.digest
        );
        let expected = [
            ("etc/", 0o755, 0, ""),
            ("etc/group", 0o644, 0, "root:x:0:\n"),
            ("state/", 0o1777, 65532, ""),
            ("usr/", 0o755, 0, ""),
            ("usr/bin/", 0o755, 0, ""),
            ("usr/bin/name", 0o777, 0, "-> program"),
            ("usr/bin/program", 0o755, 0, "bytes"),
        ];
        let expected = expected.map(|(name, mode, owner, content)| {
            (
                name.to_owned(),
                mode,
                owner,
                owner,
                1_764_000_000,
                content.to_owned(),
            )
        });
        assert_eq!(entries(&blob), expected);
    }
}
