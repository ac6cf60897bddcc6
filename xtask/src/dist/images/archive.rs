//! An archive of images that share their layers: an OCI image layout, with the list `manifest.json`
//! by which `docker load` finds the images too.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use oci_spec::image::{
    ANNOTATION_REF_NAME, Arch, Config, Descriptor, DescriptorBuilder, Digest,
    ImageConfigurationBuilder, ImageIndexBuilder, ImageManifestBuilder, MediaType,
    OciLayoutBuilder, Os, PlatformBuilder, RootFsBuilder, SCHEMA_VERSION,
};
use serde::Serialize;
use serde_json::{Value, json};
use tar::Builder;

use super::layer::{self, Layer, Packed};

/// The version of the layout.
const LAYOUT: &str = "1.0.0";
/// The annotation by which containerd names an image.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// An image, as an archive tells of it.
pub(super) struct Image<'a> {
    /// The name, without a registry and a tag.
    pub(super) name: &'a str,
    pub(super) tag: &'a str,
    pub(super) config: Config,
    /// The command that tells whether a container is healthy.
    pub(super) health: Value,
    pub(super) layers: &'a [Packed],
}

/// An archive in the making.
pub(super) struct Archive {
    folder: PathBuf,
    epoch: u64,
    /// The time of the images, as RFC 3339.
    created: String,
    images: Vec<Descriptor>,
    /// What `manifest.json` lists.
    loadable: Vec<Value>,
}

impl Archive {
    /// Begins an archive whose files are gathered in an empty folder.
    pub(super) fn begin(folder: &Path, epoch: u64) -> Result<Self> {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(epoch);
        fs::create_dir_all(folder.join("blobs/sha256"))?;
        Ok(Self {
            folder: folder.to_owned(),
            epoch,
            created: humantime::format_rfc3339_seconds(time).to_string(),
            images: Vec::new(),
            loadable: Vec::new(),
        })
    }

    fn blobs(&self) -> PathBuf {
        self.folder.join("blobs/sha256")
    }

    /// Packs a layer into the archive.
    pub(super) fn pack(&self, layer: &Layer) -> Result<Packed> {
        layer.pack(&self.blobs(), self.epoch)
    }

    /// Packs a layer that is an archive already.
    pub(super) fn pack_tar(&self, tar: &Path) -> Result<Packed> {
        Packed::from_tar(tar, &self.blobs())
    }

    /// The time of everything.
    pub(super) fn created(&self) -> &str {
        &self.created
    }

    /// Adds an image.
    pub(super) fn add(&mut self, image: Image<'_>) -> Result<()> {
        let Image { name, tag, .. } = image;
        let layers = image.layers;
        let config = self.configuration(image.config, image.health, layers)?;
        let sum = config.digest().digest();
        self.loadable.push(json!({
            "Config": blob(sum),
            "Layers": layers.iter().map(|layer| blob(&layer.digest)).collect::<Vec<_>>(),
            "RepoTags": [format!("{name}:{tag}")],
        }));
        let of_layers = layers
            .iter()
            .map(|layer| descriptor(MediaType::ImageLayerGzip, &layer.digest, layer.size))
            .collect::<Result<Vec<_>>>()?;
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .config(config)
            .layers(of_layers)
            .build()?;
        let mut manifest = self.put(MediaType::ImageManifest, &manifest)?;
        let platform = PlatformBuilder::default()
            .architecture(Arch::Amd64)
            .os(Os::Linux);
        manifest.set_platform(Some(platform.build()?));
        manifest.set_annotations(Some(HashMap::from([
            (ANNOTATION_REF_NAME.to_owned(), name.to_owned()),
            (
                CONTAINERD_NAME.to_owned(),
                format!("docker.io/library/{name}:{tag}"),
            ),
        ])));
        self.images.push(manifest);
        Ok(())
    }

    /// Puts the configuration of an image among the blobs.
    fn configuration(
        &self,
        config: Config,
        health: Value,
        layers: &[Packed],
    ) -> Result<Descriptor> {
        let sums = layers.iter().map(|layer| sha256(&layer.content));
        let files = RootFsBuilder::default()
            .typ("layers")
            .diff_ids(sums.collect::<Vec<_>>());
        let configuration = ImageConfigurationBuilder::default()
            .created(&*self.created)
            .architecture(Arch::Amd64)
            .os(Os::Linux)
            .config(config)
            .rootfs(files.build()?)
            .build()?;
        let mut configuration = serde_json::to_value(configuration)?;
        // OCI has no word for this: Docker has, and others read it.
        configuration["config"]["Healthcheck"] = health;
        self.put(MediaType::ImageConfig, &configuration)
    }

    /// Puts a document among the blobs.
    fn put(&self, kind: MediaType, document: &impl Serialize) -> Result<Descriptor> {
        let bytes = sorted(document)?;
        let sum = layer::put(&self.blobs(), &bytes)?;
        descriptor(kind, &sum, bytes.len() as u64)
    }

    /// Writes the archive.
    pub(super) fn write(self, to: &Path) -> Result<()> {
        let layout = OciLayoutBuilder::default().image_layout_version(LAYOUT);
        let index = ImageIndexBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageIndex)
            .manifests(self.images)
            .build()?;
        for (name, document) in [
            ("oci-layout", sorted(&layout.build()?)?),
            ("index.json", sorted(&index)?),
            ("manifest.json", sorted(&self.loadable)?),
        ] {
            fs::write(self.folder.join(name), document)?;
        }
        let failed = || format!("{} cannot be written", to.display());
        let file = File::create(to).with_context(failed)?;
        let mut archive = Builder::new(BufWriter::new(file));
        let mut blobs = fs::read_dir(self.folder.join("blobs/sha256"))?
            .map(|blob| Ok(format!("blobs/sha256/{}", blob?.file_name().display())))
            .collect::<Result<Vec<_>>>()?;
        blobs.sort();
        let names = blobs.iter().map(String::as_str);
        for name in names.chain(["index.json", "manifest.json", "oci-layout"]) {
            let from = File::open(self.folder.join(name))?;
            let mut header = layer::header(0o644, self.epoch);
            header.set_size(from.metadata()?.len());
            archive
                .append_data(&mut header, name, from)
                .with_context(failed)?;
        }
        archive
            .into_inner()?
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .with_context(failed)?;
        Ok(())
    }
}

fn descriptor(kind: MediaType, sum: &str, size: u64) -> Result<Descriptor> {
    let digest: Digest = sha256(sum).parse()?;
    let descriptor = DescriptorBuilder::default()
        .media_type(kind)
        .digest(digest)
        .size(size);
    Ok(descriptor.build()?)
}

fn sha256(sum: &str) -> String {
    format!("sha256:{sum}")
}

fn blob(sum: &str) -> String {
    format!("blobs/sha256/{sum}")
}

/// A document as JSON whose keys are in order: those of annotations and labels come in any.
fn sorted(document: &impl Serialize) -> Result<Vec<u8>> {
    let mut value = serde_json::to_value(document)?;
    value.sort_all_objects();
    Ok(serde_json::to_vec(&value)?)
}
