//! Which levels the formats of compression have: what a target and a workspace may ask for, and what the encoders take.
//!
//! Knows neither encoders nor TOML.

/// The levels of a format, from 1 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    format: &'static str,
    most: u8,
    /// The level where none is said.
    pub usual: u8,
}

/// A level that the format doesn't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`level` goes from 1 to {} for {}", .0.most, .0.format)]
pub struct LevelError(Levels);

impl Levels {
    /// Of gzip in chunks (libdeflate's), or as one stream (zlib's).
    pub const fn gzip(chunks: bool) -> Levels {
        match chunks {
            true => Levels { format: "gzip", most: 12, usual: 6 },
            false => Levels { format: "gzip with `chunks = false`", most: 9, usual: 6 },
        }
    }

    /// Of zstd. Above, readers need more memory than they grant.
    pub const fn zstd() -> Levels {
        Levels { format: "zstd", most: 19, usual: 3 }
    }

    /// A level as written, if the format has it.
    pub fn check(self, level: i64) -> Result<u8, LevelError> {
        u8::try_from(level).ok().filter(|level| (1..=self.most).contains(level)).ok_or(LevelError(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_has_its_levels_and_no_others() {
        for (levels, most) in [(Levels::gzip(true), 12), (Levels::gzip(false), 9), (Levels::zstd(), 19)] {
            assert_eq!(levels.check(most), u8::try_from(most).map_err(|_| LevelError(levels)));
            for wrong in [i64::MIN, 0, most + 1, 256, 257] {
                assert_eq!(levels.check(wrong), Err(LevelError(levels)));
            }
        }
        let error = Levels::gzip(false).check(10).unwrap_err();
        assert_eq!(error.to_string(), "`level` goes from 1 to 9 for gzip with `chunks = false`");
    }
}
