//! What several rules have in common: the attributes of every layer, and small readers.

use super::Target;
use crate::compression_level::{LevelError, Levels};
use crate::diagnostic::Diagnostic;
use crate::oci::compress::{Compression, Format};
use crate::workspace::attributes::Attributes;
use crate::workspace::schema::{Attribute, Type, optional};

/// How a layer is compressed.
pub const COMPRESSION: Attribute = optional(
    "compression",
    Type::Either(&[
        Type::Enum(&["gzip", "zstd", "none"]),
        Type::Table(&[
            optional("format", Type::Enum(&["gzip", "zstd", "none"]), "Default: `gzip`."),
            optional("level", Type::Integer, "gzip: 1 to 12, default 6. zstd: 1 to 19, default 3."),
            optional(
                "chunks",
                Type::Boolean,
                "Each chunk its own gzip member or zstd frame, so that an edit recompresses its chunk only. Default: true for gzip, false for zstd.",
            ),
        ]),
    ]),
    "How the layer is compressed. Default: what `[workspace] compression` says, else gzip in chunks. Docker 20.10 and umoci don't read zstd.",
);

/// The compression that a target says, or the workspace's.
pub fn compression(target: &Target<'_>) -> Result<Compression, Diagnostic> {
    let attributes = target.attributes;
    let Some(span) = attributes.span("compression") else {
        return Ok(target.defaults.compression);
    };
    let table = attributes.table("compression");
    let format = table.map_or(attributes.str("compression"), |table| table.str("format")).unwrap_or("gzip");
    let span = table.and_then(|table| table.span("level")).unwrap_or(span);
    compression_of(format, table.as_ref()).map_err(|error| Diagnostic::error(error.to_string()).at(span, ""))
}

fn compression_of(format: &str, table: Option<&Attributes<'_>>) -> Result<Compression, LevelError> {
    let chunks = |usual| table.and_then(|table| table.boolean("chunks")).unwrap_or(usual);
    let level = |of: Levels| of.check(table.and_then(|table| table.integer("level")).unwrap_or(of.usual.into()));
    match format {
        "none" => Ok(Compression::NONE),
        "zstd" => Compression::new(Format::Zstd { level: level(Levels::zstd())? }, chunks(false)),
        _ => Compression::new(Format::Gzip { level: level(Levels::gzip(chunks(true)))? }, chunks(true)),
    }
}
