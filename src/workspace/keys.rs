//! The keys of `[workspace]`, of a profile and of the developer's own file, with what they take and mean.
//!
//! Plain data. What a key does is not known here.

use super::schema::{Attribute, Type, optional, required};
use super::{external, own_paths, registries};

const REGISTRY: Attribute =
    optional("registry", Type::String, "HOST[:PORT][/PREFIX] that images are pushed to; default: registry.localhost");
const TAG: Attribute =
    optional("tag", Type::String, "the tag that images are published under; default: `version`, else latest");
const TAGS: Attribute = optional("tags", Type::List(&Type::String), "more tags, beside `tag`; default: none");
const BUILD_BASE: Attribute = optional(
    "build-base",
    Type::String,
    "the label of the layer or image over which cargo and exec actions run, or \"host\"",
);
const PLATFORM: Attribute =
    optional("platform", Type::String, "what images run on unless they say otherwise; default: linux/amd64");
const COMPRESSION: Attribute = optional(
    "compression",
    Type::Either(&[Type::Enum(FORMATS), Type::Table(COMPRESSION_KEYS)]),
    "the format of layers, or a table with format, level and chunks; default: gzip",
);
const EPOCH: Attribute = optional(
    "source-date-epoch",
    Type::Either(&[Type::Integer, Type::Enum(&["env"])]),
    "the time stamp of files in layers, in seconds since 1970, or \"env\" for SOURCE_DATE_EPOCH; default: 0",
);

const CACHE_FROM: Attribute = optional(
    "cache-from",
    Type::List(&Type::String),
    "repositories, HOST[:PORT]/PATH, that are asked for results of other machines; default: none",
);
const CACHE_TO: Attribute =
    optional("cache-to", Type::String, "the repository, HOST[:PORT]/PATH, that results are written to; default: none");
const FORMATS: &[&str] = &["gzip", "zstd", "none"];
const COMPRESSION_KEYS: &[Attribute] = &[
    optional("format", Type::Enum(FORMATS), "the format; default: gzip"),
    optional(
        "level",
        Type::Integer,
        "1 to 12 for gzip, 1 to 9 where it is not in chunks; 1 to 19 for zstd; default: 6 and 3",
    ),
    optional("chunks", Type::Boolean, "whether in pieces that are compressed once each; default: gzip yes, zstd no"),
];

/// What may stand in `[workspace]`.
pub const WORKSPACE: &[Attribute] = &[
    required("name", Type::String, "the workspace's name"),
    optional("packages", Type::String, "the folder that holds the packages; default: the workspace's own"),
    optional("requires", Type::String, "the versions of layerbuild that this workspace works with, such as \">=0.3\""),
    optional("version", Type::String, "the workspace's own version, three numbers such as \"0.2.0\"; default: none"),
    optional(
        "compatible",
        Type::Either(&[Type::String, Type::List(&Type::String)]),
        "the versions of other workspaces that this one works with, such as \"platform >= 0.1, < 0.3\"; default: any",
    ),
    REGISTRY,
    TAG,
    TAGS,
    BUILD_BASE,
    PLATFORM,
    COMPRESSION,
    EPOCH,
    CACHE_FROM,
    CACHE_TO,
    registries::ALLOW_HOSTS,
];

const FROM_REGISTRY: Attribute = optional(
    "from-registry",
    Type::List(&Type::String),
    "patterns of images that are taken as published: locked, not built",
);
const TAKEN_LOCAL: Attribute = optional(
    "local",
    Type::List(&Type::String),
    "patterns of images that are taken as this machine built them last: neither built nor pulled",
);
const BUILD: Attribute = optional(
    "build",
    Type::List(&Type::String),
    "patterns of images that are built, whatever `from-registry` and `local` say",
);
const EXTERNAL: Attribute = optional(
    "external",
    Type::Map(&Type::Table(external::EXTERNAL)),
    "where other workspaces are built or their images taken from, by the workspace's name",
);
const DEPLOY: Attribute =
    optional("deploy", Type::Enum(&["compose", "kubernetes"]), "what deploys are rendered for; default: compose");
/// Read by `vars` and `overrides`; here for its name.
const VARS: Attribute = optional("vars", Type::Map(&Type::String), "other values of variables that `[vars]` declares");
const TARGETS: Attribute = optional("targets", Type::Map(&Type::Table(&[])), "other attributes of targets, by label");

/// What a profile and the developer's own file may both say, behind what only one of them may.
macro_rules! laid_over {
    ($($own:expr),+) => {
        &[
            $($own),+,
            REGISTRY,
            TAG,
            TAGS,
            BUILD_BASE,
            PLATFORM,
            COMPRESSION,
            EPOCH,
            CACHE_FROM,
            CACHE_TO,
            FROM_REGISTRY,
            TAKEN_LOCAL,
            BUILD,
            EXTERNAL,
            DEPLOY,
            VARS,
            TARGETS,
        ]
    };
}

/// What may stand in `[profile.NAME]`.
pub const PROFILE: &[Attribute] =
    laid_over!(optional("inherits", Type::String, "the profile whose settings hold where this one is silent"));

/// What may stand in the developer's own file: what a profile may say, which one is used, and folders of this machine.
pub const LOCAL: &[Attribute] = laid_over!(
    optional("profile", Type::String, "the profile that is used where the call names none"),
    own_paths::PATHS
);
