//! Why an action failed.

use super::debs::deb::DebError;
use super::debs::root::Collision;
use super::run_cause::Cause;
use crate::base::error::BaseError;
use crate::cargo::toolchain::ToolchainError;
use crate::cargo::vendor::VendorError;
use crate::digest::Digest;
use crate::image_test::Finding;
use crate::oci::image::ImageError;
use crate::oci::layer::LayerError;
use crate::oci::layer_listing::LayerListingError;
use crate::oci::tar_read::TarError;
use crate::oci::unpack::UnpackError;
use crate::sandbox::error::SandboxError;
use crate::store::StoreError;

/// Why an action failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A layer can't be made of its content.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// An archive can't be taken as a layer.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// An image can't be made of its base and layers.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Layers of an image contradict one another; one sentence each.
    #[error("{}", .0.join("\n"))]
    Conflicts(Vec<String>),
    /// Images of an index are for one platform.
    #[error("{} are for {platform}: a client could only ever get the first", images.join(" and "))]
    SamePlatform {
        /// What they are called.
        images: Vec<String>,
        /// The platform.
        platform: crate::platform::Platform,
    },
    /// A listing in the store can't be read.
    #[error("the listing {0} is damaged")]
    Listing(Digest),
    /// A file could not be fetched.
    #[error("cannot fetch {url}: {why}")]
    Fetch {
        /// Where from.
        url: String,
        /// Why, as a phrase.
        why: String,
    },
    /// Fetching is needed and `--offline` forbids it.
    #[error("{url} is not in the store, and --offline forbids fetching it")]
    Offline {
        /// Where it would come from.
        url: String,
    },
    /// What was fetched is not what was asked for.
    #[error("{url} has digest {found}, but {expected} was asked for")]
    OtherContent {
        /// Where from.
        url: String,
        /// What it has.
        found: Digest,
        /// What the workspace says.
        expected: Digest,
    },
    /// An archive of the workspace isn't what its digest was taken of.
    #[error("file `{path}` changed while it was read")]
    Changed {
        /// The archive, relative to the workspace's root.
        path: camino::Utf8PathBuf,
    },
    /// A pulled base is asked for on a platform that it isn't locked for.
    #[error("it is asked for on {platform}, but is locked for {}", locked.join(", "))]
    NotLocked {
        /// What is asked for.
        platform: crate::platform::Platform,
        /// What there is.
        locked: Vec<String>,
    },
    /// The result of an earlier build that is taken as it is has left the store.
    #[error("it is taken as it was built here, but the store has {output} no more, or not all of it")]
    LocalGone {
        /// What was built.
        output: Digest,
    },
    /// A package can't be had under any address.
    #[error("cannot fetch {name}: {}", tried.join("; "))]
    NoDeb {
        /// The package.
        name: String,
        /// The addresses, each with why.
        tried: Vec<String>,
        /// Whether every address answered that it has no such file.
        dropped: bool,
    },
    /// A package can't be taken apart.
    #[error("{name} {source}")]
    Deb {
        /// The package.
        name: String,
        /// Why.
        source: DebError,
    },
    /// Packages bring the same paths.
    #[error("packages collide: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Collisions(Vec<Collision>),
    /// A pulled base can't be had.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// A command ended badly.
    #[error("command {number} of {count}, {command}, {why}{}", shown(last_lines))]
    Command {
        /// The target whose shell opens where it began; `None` where none can.
        shell: Option<Box<crate::label::Label>>,
        /// From 1.
        number: usize,
        /// How many there are.
        count: usize,
        /// As it is written.
        command: String,
        /// As a phrase.
        why: String,
        /// What was printed last, by this command and those before it.
        last_lines: Vec<String>,
        /// What is likely behind it; `None` where nothing speaks for anything.
        cause: Option<Cause>,
    },
    /// Cargo ended badly.
    #[error("cargo {why}{}", shown(lines))]
    Cargo {
        /// As a phrase.
        why: String,
        /// What it printed.
        lines: Vec<String>,
    },
    /// The lock file does not say what cargo needs.
    #[error("{} is stale: it lacks {}", folder.join("Cargo.lock"), needs.join(", "))]
    StaleLock {
        /// Where it stands, relative to the workspace's root.
        folder: camino::Utf8PathBuf,
        /// The packages that it lacks or has otherwise.
        needs: Vec<String>,
        /// What to do.
        help: &'static str,
    },
    /// Crates can't be had.
    #[error(transparent)]
    Crates(#[from] VendorError),
    /// There is no compiler.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// What commands left behind can't be a layer; one sentence each.
    #[error("{}", .0.join("\n"))]
    LeftBehind(Vec<String>),
    /// An image is not as it is expected to be.
    #[error("{image} is not as expected: {}", shown_findings(findings))]
    Test {
        /// What was looked at.
        image: String,
        /// All that differs; at least one.
        findings: Vec<Finding>,
    },
    /// A layer that a test looks into can't be read.
    #[error("layer {layer} of {image}: {why}")]
    Contents {
        /// The layer's blob.
        layer: Digest,
        /// The image.
        image: String,
        /// Why.
        why: Box<LayerListingError>,
    },
    /// A file that an image's listing names is in no layer.
    #[error("{image} lists {path}, but none of its layers has it")]
    NoSuchFile {
        /// The image.
        image: String,
        /// The path.
        path: String,
    },
    /// A secret has no value.
    #[error("the secret `{name}` has no value: {why}")]
    Secret {
        /// What it is called.
        name: String,
        /// As a phrase.
        why: String,
    },
    /// Commands can't be run here.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BuildError {
    /// Whether the machine or the network is to blame, not the workspace.
    pub fn is_environment(&self) -> bool {
        if let BuildError::Base(error) = self {
            return error.is_environment();
        }
        if let BuildError::Contents { why, .. } = self {
            return why.is_environment();
        }
        matches!(
            self,
            BuildError::Store(_)
                | BuildError::Sandbox(_)
                | BuildError::Command { cause: Some(Cause::FullDisk), .. }
                | BuildError::Secret { .. }
                | BuildError::Crates(_)
                | BuildError::Toolchain(_)
                | BuildError::Fetch { .. }
                | BuildError::NoDeb { .. }
                | BuildError::Offline { .. }
                | BuildError::Layer(LayerError::Write(_))
                | BuildError::Tar(TarError::Unpack(UnpackError::Write { .. }))
        )
    }

    /// Whether all is well but what was looked at.
    pub fn is_test(&self) -> bool {
        matches!(self, BuildError::Test { .. })
    }

    /// The blob of the store that turned out damaged or missing; `None` where that was not the reason.
    pub fn damaged(&self) -> Option<Digest> {
        match self {
            BuildError::Store(StoreError::Corrupt { digest, .. } | StoreError::Missing { digest })
            | BuildError::Base(BaseError::Store(StoreError::Corrupt { digest, .. } | StoreError::Missing { digest }))
            | BuildError::Listing(digest) => Some(*digest),
            _ => None,
        }
    }

    /// The same for whoever has seen already what commands printed.
    #[must_use]
    pub fn without_lines(mut self) -> BuildError {
        if let BuildError::Command { last_lines: lines, .. } | BuildError::Cargo { lines, .. } = &mut self {
            lines.clear();
        }
        self
    }

    /// What to do; `None` where the message says it all.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            BuildError::Base(error) => return error.hint(),
            BuildError::Sandbox(error) => return error.hint(),
            BuildError::Command { shell, number, cause, .. } => {
                let likely = cause.map(|cause| cause.advice().to_owned());
                let shell = shell.as_ref();
                let shell =
                    shell.map(|label| format!("`layerbuild shell {label} --at {number}` opens a shell where it began"));
                let all: Vec<String> = likely.into_iter().chain(shell).collect();
                return (!all.is_empty()).then(|| all.join("; "));
            }
            BuildError::StaleLock { help, .. } => help,
            BuildError::Toolchain(error) => return Some(error.help.clone()),
            BuildError::NotLocked { .. } => "add it to `platforms` of the pull, then run `layerbuild lock`",
            BuildError::NoDeb { dropped: true, .. } => {
                "the archive has dropped it: run `layerbuild lock --update` on the target"
            }
            BuildError::Collisions(_) => "leave one of the packages out, or put it in `exclude`",
            BuildError::Offline { .. } => "run once without --offline",
            BuildError::OtherContent { .. } => "if the new content is meant, change `sha256`",
            BuildError::Changed { .. } | BuildError::Layer(LayerError::Content { .. }) => {
                "build again once nothing writes to the sources"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

fn shown_findings(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("\n  {}: {finding}", finding.attribute)).collect()
}

fn shown(last_lines: &[String]) -> String {
    last_lines.iter().map(|line| format!("\n  | {line}")).collect()
}
