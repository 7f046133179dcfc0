//! Media types of what an image is made of: OCI's names and those of Docker's image manifest version 2, schema 2.
//!
//! Knows which name stands for which in the other family; knows nothing of bytes.

/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI image configuration.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// OCI layer: a plain tar.
pub const OCI_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// OCI layer: a tar compressed with gzip.
pub const OCI_TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// OCI layer: a tar compressed with zstd.
pub const OCI_TAR_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// Docker's image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's image configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker's layer: a plain tar.
pub const DOCKER_TAR: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Docker's layer: a tar compressed with gzip.
pub const DOCKER_TAR_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

const OCI_FOREIGN: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
const OCI_FOREIGN_GZIP: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
const DOCKER_FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";
const DOCKER_FOREIGN_GZIP: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
/// Written by some tools, read by few: we only ever read it.
const DOCKER_TAR_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";

/// The same thing in both families: OCI's name, Docker's name.
const PAIRS: &[(&str, &str)] = &[
    (OCI_MANIFEST, DOCKER_MANIFEST),
    (OCI_INDEX, DOCKER_LIST),
    (OCI_CONFIG, DOCKER_CONFIG),
    (OCI_TAR, DOCKER_TAR),
    (OCI_TAR_GZIP, DOCKER_TAR_GZIP),
    (OCI_FOREIGN, DOCKER_FOREIGN),
    (OCI_FOREIGN_GZIP, DOCKER_FOREIGN_GZIP),
];

/// Whose names a manifest uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// OCI's.
    Oci,
    /// Docker's, schema 2.
    Docker,
}

/// Whether it is of a layer that registries need not hold ("foreign", "non-distributable").
pub fn is_foreign(media_type: &str) -> bool {
    matches!(Family::Oci.name_of(media_type), Some(OCI_FOREIGN | OCI_FOREIGN_GZIP))
        || media_type.starts_with(&OCI_FOREIGN[..OCI_FOREIGN.len() - ".tar".len()])
}

impl Family {
    /// The name of the same thing in this family; `None` where the family has none, or where nobody knows the type.
    ///
    /// zstd has no name of Docker's that readers agree on.
    pub fn name_of(self, media_type: &str) -> Option<&'static str> {
        if matches!(media_type, OCI_TAR_ZSTD | DOCKER_TAR_ZSTD) {
            return (self == Family::Oci).then_some(OCI_TAR_ZSTD);
        }
        let pair = PAIRS.iter().find(|(oci, docker)| media_type == *oci || media_type == *docker)?;
        Some(match self {
            Family::Oci => pair.0,
            Family::Docker => pair.1,
        })
    }

    /// The family that a name is of, by the vendor in it; unknown names count as OCI's.
    pub fn of(media_type: &str) -> Family {
        if media_type.starts_with("application/vnd.docker.") { Family::Docker } else { Family::Oci }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_counterpart() {
        for (oci, docker) in PAIRS {
            assert_eq!(Family::Oci.name_of(docker), Some(*oci));
            assert_eq!(Family::Docker.name_of(oci), Some(*docker));
            assert_eq!((Family::of(oci), Family::of(docker)), (Family::Oci, Family::Docker));
        }
    }

    #[test]
    fn zstd_and_unknown_types_have_no_name_of_dockers() {
        assert_eq!(Family::Docker.name_of(OCI_TAR_ZSTD), None);
        assert_eq!(Family::Oci.name_of(DOCKER_TAR_ZSTD), Some(OCI_TAR_ZSTD));
        assert_eq!(Family::Oci.name_of("application/x-else"), None);
    }
}
