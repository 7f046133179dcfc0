//! Other people's registries, as bases are read from them: a client that is set up when the first question is asked.

use std::io::Read;
use std::sync::OnceLock;

use super::context::Context;
use super::error::CliError;
use super::project::Project;
use super::registries;
use crate::base::remote::{Document, Remote, RemoteBlob, RemoteError};
use crate::digest::Digest;
use crate::reference::Reference;
use crate::registry::{BlobDescriptor, ClientConfig, Puller, RegistryError};

/// Registries, contacted when they are needed.
pub struct Remotes {
    config: ClientConfig,
    puller: OnceLock<Result<Puller, RemoteError>>,
}

impl Remotes {
    /// As the workspace, the user's own file, flags and variables say.
    pub fn new(project: &Project, cx: &Context) -> Result<Remotes, CliError> {
        let config = registries::client(cx, &project.workspace.settings.registries)?;
        Ok(Remotes { config, puller: OnceLock::new() })
    }

    fn puller(&self) -> Result<&Puller, RemoteError> {
        let made = self.puller.get_or_init(|| Puller::new(self.config.clone()).map_err(|error| failed(&error)));
        made.as_ref().map_err(Clone::clone)
    }
}

impl Remote for Remotes {
    fn document(&self, image: &Reference) -> Result<Document, RemoteError> {
        let found = self.puller()?.resolve(image).map_err(|error| failed(&error))?;
        Ok(Document { digest: found.digest, bytes: found.bytes.into() })
    }

    fn tag(&self, image: &Reference) -> Result<Option<Digest>, RemoteError> {
        self.puller()?.head(image).map_err(|error| failed(&error))
    }

    fn open<'a>(&'a self, blob: &RemoteBlob) -> Result<Box<dyn Read + Send + 'a>, RemoteError> {
        let RemoteBlob { repository, digest, size } = blob;
        let descriptor = BlobDescriptor { digest: *digest, size: *size };
        let opened = self.puller()?.open(repository, &descriptor).map_err(|error| failed(&error))?;
        Ok(Box::new(opened))
    }
}

fn failed(error: &RegistryError) -> RemoteError {
    RemoteError { message: error.to_string(), mistake: error.is_mistake() }
}
