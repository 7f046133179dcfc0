//! Platforms: operating system, architecture and variant, as OCI names them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an image runs on; written `os/architecture[/variant]` (OCI image-spec, "Image Index", `platform`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// Go's GOOS, such as `linux`.
    pub os: String,
    /// Go's GOARCH, such as `amd64`.
    pub architecture: String,
    /// The CPU's variant, such as `v7`; `None` where the architecture has one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// Whether what is made for `offered` runs where this is asked for: without a variant any will do, and a variant left
    /// out is the architecture's usual one.
    pub fn is_met_by(&self, offered: &Platform) -> bool {
        let usual = match self.architecture.as_str() {
            "amd64" => Some("v1"),
            "arm64" => Some("v8"),
            "arm" => Some("v7"),
            _ => None,
        };
        let variant_fits = self.variant.is_none() || self.variant.as_deref() == offered.variant.as_deref().or(usual);
        (&self.os, &self.architecture) == (&offered.os, &offered.architecture) && variant_fits
    }
}

impl Default for Platform {
    /// `linux/amd64`: fixed, so that no digest depends on the machine that builds.
    fn default() -> Platform {
        Platform { os: "linux".into(), architecture: "amd64".into(), variant: None }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// Text that is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a platform: {why}")]
pub struct PlatformError {
    text: String,
    why: String,
}

const SYSTEMS: &[&str] = &["linux", "windows", "darwin", "freebsd"];
const ARCHITECTURES: &[&str] = &["amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le"];

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Platform, PlatformError> {
        let fail = |why: String| Err(PlatformError { text: text.to_owned(), why });
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts[..] {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] if !variant.is_empty() => (os, architecture, Some(variant)),
            _ => return fail("expected `os/architecture` or `os/architecture/variant`, such as `linux/arm64`".into()),
        };
        if !SYSTEMS.contains(&os) {
            return fail(format!("unknown operating system `{os}`; known are {}", SYSTEMS.join(", ")));
        }
        if !ARCHITECTURES.contains(&architecture) {
            return fail(format!("unknown architecture `{architecture}`; known are {}", ARCHITECTURES.join(", ")));
        }
        Ok(Platform { os: os.into(), architecture: architecture.into(), variant: variant.map(Into::into) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_parse_are_inverse() {
        for text in ["linux/amd64", "linux/arm/v7"] {
            assert_eq!(text.parse::<Platform>().map(|platform| platform.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "linux", "linux/", "linux/amd46", "amiga/amd64", "linux/arm/", "a/b/c/d"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
