//! Compression of a layer: the choice ([`Compression`]), a chunk as a member or frame of its own ([`ChunkEncoder`]), and
//! a layer as one stream ([`StreamEncoder`]).
//!
//! The same bytes in give the same bytes out, on every CPU: encoders are named with their exact version in
//! [`Compression::identity`], which belongs into every key. Knows nothing of tar, threads or files.

use std::fmt;
use std::io::{self, Write};

use flate2::write::DeflateEncoder;
use libdeflater::{CompressionLvl, Compressor};
use serde::{Deserialize, Serialize};
use zstd::zstd_safe::CParameter;

use crate::compression_level::{LevelError, Levels};
use crate::oci::chunks;

const LIBDEFLATE: &str = "libdeflater-1.26.1";
const ZLIB_RS: &str = "zlib-rs-0.6.8";
const LIBZSTD: &str = "libzstd-1.5.7";

/// How a layer's tar becomes its blob.
///
/// Default: gzip level 6 in chunks. In chunks, each chunk of the tar is a gzip member or zstd frame of its own, made in
/// parallel and remembered. Readers of gzip with many members: Docker, podman, containerd, skopeo, umoci, GNU tar, bsdtar and
/// Python's `r:gz` (its `r|gz` stops after the first and says nothing). zstd, in one frame or many, is refused by Docker 20.10
/// and umoci 0.4. The table of readers is a test: `tests/it/readers.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Choice", into = "Choice")]
pub struct Compression {
    format: Format,
    chunks: bool,
}

/// What a layer is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Plain tar.
    None,
    /// RFC 1952.
    Gzip {
        /// One of [`Levels::gzip`].
        level: u8,
    },
    /// RFC 8878.
    Zstd {
        /// One of [`Levels::zstd`].
        level: u8,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    format: Format,
    chunks: bool,
}

impl Default for Compression {
    fn default() -> Compression {
        Compression { format: Format::Gzip { level: 6 }, chunks: true }
    }
}

impl Compression {
    /// Plain tar, as docker-archive wants it.
    pub const NONE: Compression = Compression { format: Format::None, chunks: false };

    /// A format, in chunks or as one stream. Plain tar has no chunks: `chunks` means nothing there.
    pub fn new(format: Format, chunks: bool) -> Result<Compression, LevelError> {
        match format {
            Format::None => return Ok(Compression::NONE),
            Format::Gzip { level } => Levels::gzip(chunks).check(level.into())?,
            Format::Zstd { level } => Levels::zstd().check(level.into())?,
        };
        Ok(Compression { format, chunks })
    }

    /// gzip in chunks: what every reader takes.
    pub fn gzip(level: u8) -> Result<Compression, LevelError> {
        Compression::new(Format::Gzip { level }, true)
    }

    /// zstd as one frame: readers of many frames are fewer. The usual level is 3.
    pub fn zstd(level: u8) -> Result<Compression, LevelError> {
        Compression::new(Format::Zstd { level }, false)
    }

    /// The format and its level.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether each chunk is a member or frame of its own.
    pub fn chunks(&self) -> bool {
        self.chunks
    }

    /// Everything that decides the compressed bytes: encoder, exact version, level, chunking. Part of action and chunk keys.
    pub fn identity(&self) -> String {
        self.to_string()
    }

    /// What follows the tar media type (OCI image-spec, "Layer media types"): nothing, `+gzip` or `+zstd`.
    pub fn media_type_suffix(&self) -> &'static str {
        match self.format {
            Format::None => "",
            Format::Gzip { .. } => "+gzip",
            Format::Zstd { .. } => "+zstd",
        }
    }
}

impl fmt::Display for Compression {
    /// As [`Compression::identity`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            Format::None => f.write_str("none")?,
            Format::Gzip { level } => {
                write!(f, "gzip {} level={level}", if self.chunks { LIBDEFLATE } else { ZLIB_RS })?;
            }
            Format::Zstd { level } => write!(f, "zstd {LIBZSTD} level={level}")?,
        }
        if self.chunks { write!(f, " chunks={}", chunks::FORMAT) } else { Ok(()) }
    }
}

impl TryFrom<Choice> for Compression {
    type Error = LevelError;

    fn try_from(choice: Choice) -> Result<Compression, LevelError> {
        Compression::new(choice.format, choice.chunks)
    }
}

impl From<Compression> for Choice {
    fn from(Compression { format, chunks }: Compression) -> Choice {
        Choice { format, chunks }
    }
}

/// Makes members or frames, one a chunk. Keeps its tables and its buffer: one a thread, for many chunks.
pub struct ChunkEncoder {
    format: Format,
    coder: Coder,
    scratch: Vec<u8>,
}

enum Coder {
    Copy,
    Gzip(Compressor),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl ChunkEncoder {
    /// An encoder for chunks of this compression.
    pub fn new(compression: &Compression) -> io::Result<ChunkEncoder> {
        let coder = match compression.format {
            Format::None => Coder::Copy,
            Format::Gzip { level } => {
                let level = CompressionLvl::new(i32::from(level)).map_err(|_| io::ErrorKind::InvalidInput)?;
                Coder::Gzip(Compressor::new(level))
            }
            Format::Zstd { level } => {
                let mut compressor = zstd::bulk::Compressor::new(i32::from(level))?;
                compressor.set_parameter(CParameter::ChecksumFlag(true))?;
                Coder::Zstd(compressor)
            }
        };
        Ok(ChunkEncoder { format: compression.format, coder, scratch: Vec::new() })
    }

    /// Whether it makes this format at this level.
    pub fn makes(&self, format: Format) -> bool {
        self.format == format
    }

    /// The whole member or frame of one chunk.
    pub fn encode(&mut self, raw: &[u8]) -> io::Result<Vec<u8>> {
        match &mut self.coder {
            Coder::Copy => Ok(raw.to_vec()),
            Coder::Gzip(compressor) => {
                let bound = compressor.deflate_compress_bound(raw.len());
                grow(&mut self.scratch, bound);
                let length = compressor.deflate_compress(raw, &mut self.scratch).map_err(|_| too_small())?;
                let crc = libdeflater::crc32(raw);
                let trailer = gzip_trailer(crc, raw.len() as u64);
                Ok([&gzip_header(self.format)[..], &self.scratch[..length], &trailer].concat())
            }
            Coder::Zstd(compressor) => {
                grow(&mut self.scratch, zstd::zstd_safe::compress_bound(raw.len()));
                let length = compressor.compress_to_buffer(raw, &mut self.scratch[..])?;
                Ok(self.scratch[..length].to_vec())
            }
        }
    }
}

fn grow(scratch: &mut Vec<u8>, length: usize) {
    if scratch.len() < length {
        scratch.resize(length, 0);
    }
}

fn too_small() -> io::Error {
    io::Error::other("the encoder's own bound was too small")
}

/// Our own header (RFC 1952, 2.3): no name, no time, XFL as zlib sets it, OS unknown.
fn gzip_header(format: Format) -> [u8; 10] {
    let xfl = match format {
        Format::Gzip { level: 1 } => 4,
        Format::Gzip { level: 9.. } => 2,
        _ => 0,
    };
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, xfl, 0xff]
}

/// CRC-32 and the length modulo 2³² of what was compressed.
fn gzip_trailer(crc: u32, length: u64) -> [u8; 8] {
    let mut trailer = [0; 8];
    trailer[..4].copy_from_slice(&crc.to_le_bytes());
    trailer[4..].copy_from_slice(&(length as u32).to_le_bytes());
    trailer
}

/// Bytes that the streaming gzip encoder is fed at once.
const BLOCK: usize = 128 << 10;

/// Compresses a layer as one stream: one gzip member, one zstd frame, or nothing done at all.
pub enum StreamEncoder<W: Write> {
    /// As it comes.
    Copy(W),
    /// One gzip member. Not libdeflate, which can't stream.
    Gzip {
        /// Raw deflate.
        deflate: DeflateEncoder<W>,
        /// Of all bytes so far.
        crc: flate2::Crc,
        /// What the encoder hasn't got yet: it is fed in blocks of one size, since its output depends on how it is fed.
        block: Vec<u8>,
    },
    /// One zstd frame with a checksum, its length not said in front.
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> StreamEncoder<W> {
    /// Starts the stream: a gzip header is written at once.
    pub fn new(compression: &Compression, mut out: W) -> io::Result<StreamEncoder<W>> {
        Ok(match compression.format {
            Format::None => StreamEncoder::Copy(out),
            Format::Gzip { level } => {
                out.write_all(&gzip_header(compression.format))?;
                let level = flate2::Compression::new(u32::from(level));
                let (deflate, crc) = (DeflateEncoder::new(out, level), flate2::Crc::new());
                StreamEncoder::Gzip { deflate, crc, block: Vec::with_capacity(BLOCK) }
            }
            Format::Zstd { level } => {
                let mut encoder = zstd::stream::write::Encoder::new(out, i32::from(level))?;
                encoder.include_checksum(true)?;
                StreamEncoder::Zstd(encoder)
            }
        })
    }

    /// Takes in more of the layer.
    pub fn write(&mut self, raw: &[u8]) -> io::Result<()> {
        match self {
            StreamEncoder::Copy(out) => out.write_all(raw),
            StreamEncoder::Gzip { deflate, crc, block } => {
                crc.update(raw);
                let mut rest = raw;
                while block.len() + rest.len() >= BLOCK {
                    let (now, later) = rest.split_at(BLOCK - block.len());
                    block.extend_from_slice(now);
                    deflate.write_all(block)?;
                    block.clear();
                    rest = later;
                }
                block.extend_from_slice(rest);
                Ok(())
            }
            StreamEncoder::Zstd(encoder) => encoder.write_all(raw),
        }
    }

    /// Ends the stream and gives back what it was written to.
    pub fn finish(self) -> io::Result<W> {
        match self {
            StreamEncoder::Copy(out) => Ok(out),
            StreamEncoder::Gzip { mut deflate, crc, block } => {
                deflate.write_all(&block)?;
                let mut out = deflate.finish()?;
                out.write_all(&gzip_trailer(crc.sum(), u64::from(crc.amount())))?;
                Ok(out)
            }
            StreamEncoder::Zstd(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::digest::Digest;

    fn sample() -> Vec<u8> {
        (0..60_000u32).flat_map(|number| (number.wrapping_mul(2_654_435_761) >> 20).to_le_bytes()).collect()
    }

    fn chunk(compression: Compression, raw: &[u8]) -> Vec<u8> {
        ChunkEncoder::new(&compression).unwrap().encode(raw).unwrap()
    }

    fn stream(compression: Compression, raw: &[u8]) -> Vec<u8> {
        let mut encoder = StreamEncoder::new(&compression, Vec::new()).unwrap();
        raw.chunks(10_000).for_each(|part| encoder.write(part).unwrap());
        encoder.finish().unwrap()
    }

    fn with(format: Format, chunks: bool) -> Compression {
        Compression::new(format, chunks).unwrap()
    }

    #[test]
    fn every_level_of_gzip_is_read_back() {
        for level in 1..=12 {
            let packed = chunk(with(Format::Gzip { level }, true), &sample());
            assert_eq!(packed[..4], [0x1f, 0x8b, 8, 0]);
            let mut raw = Vec::new();
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut raw).unwrap();
            assert!(raw == sample(), "{level}");
        }
    }

    #[test]
    fn an_encoder_forgets_the_chunk_before() {
        for format in [Format::Gzip { level: 6 }, Format::Zstd { level: 3 }] {
            let compression = with(format, true);
            let mut encoder = ChunkEncoder::new(&compression).unwrap();
            encoder.encode(&sample()).unwrap();
            assert_eq!(encoder.encode(b"short").unwrap(), chunk(compression, b"short"));
        }
    }

    #[test]
    fn a_stream_does_not_depend_on_how_it_is_fed() {
        for format in [Format::Gzip { level: 6 }, Format::Zstd { level: 3 }, Format::None] {
            let compression = with(format, false);
            let mut encoder = StreamEncoder::new(&compression, Vec::new()).unwrap();
            encoder.write(&sample()).unwrap();
            assert!(encoder.finish().unwrap() == stream(compression, &sample()), "{compression}");
        }
    }

    #[test]
    fn zstd_carries_a_checksum() {
        for chunks in [true, false] {
            let compression = with(Format::Zstd { level: 3 }, chunks);
            let packed = if chunks { chunk(compression, &sample()) } else { stream(compression, &sample()) };
            // RFC 8878, 3.1.1.1.1: bit 2 of the frame header descriptor.
            assert_eq!(packed[4] & 4, 4);
            assert!(zstd::decode_all(&packed[..]).unwrap() == sample());
        }
    }

    #[test]
    fn levels_that_a_format_lacks_are_refused_also_when_read_back() {
        for (format, chunks) in [
            (Format::Gzip { level: 0 }, true),
            (Format::Gzip { level: 13 }, true),
            (Format::Gzip { level: 10 }, false),
            (Format::Zstd { level: 0 }, true),
            (Format::Zstd { level: 20 }, false),
        ] {
            assert!(Compression::new(format, chunks).is_err(), "{format:?}");
        }
        let read = serde_json::from_str::<Compression>(r#"{"format":{"gzip":{"level":13}},"chunks":true}"#);
        assert!(read.is_err());
    }

    #[test]
    fn a_choice_survives_json() {
        for compression in [Compression::default(), Compression::NONE, Compression::zstd(3).unwrap()] {
            let text = serde_json::to_string(&compression).unwrap();
            assert_eq!(serde_json::from_str::<Compression>(&text).unwrap(), compression);
        }
    }

    #[test]
    fn identities_name_all_that_decides_the_bytes() {
        let identities = [Compression::default(), Compression::zstd(3).unwrap(), Compression::NONE];
        let texts = identities.map(|compression| compression.identity());
        let expected = ["gzip libdeflater-1.26.1 level=6 chunks=v1", "zstd libzstd-1.5.7 level=3", "none"];
        assert_eq!(texts, expected);
    }

    #[test]
    fn the_versions_named_are_those_linked() {
        let lock = include_str!("../../Cargo.lock");
        for encoder in [LIBDEFLATE, ZLIB_RS] {
            let (name, version) = encoder.rsplit_once('-').unwrap();
            let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
            assert_eq!(lock.matches(&entry).count(), 1, "{encoder}");
            assert_eq!(lock.matches(&format!("name = \"{name}\"\n")).count(), 1, "{encoder}");
        }
        assert_eq!(format!("libzstd-{}", zstd::zstd_safe::version_string()), LIBZSTD);
    }

    /// Another encoder than the one named (flate2 takes whichever a dependency switches on) shows here.
    #[test]
    fn the_bytes_are_those_of_the_encoders_named() {
        let gzip = Format::Gzip { level: 6 };
        let zstd = Format::Zstd { level: 3 };
        let packed = [
            chunk(with(gzip, true), &sample()),
            stream(with(gzip, false), &sample()),
            chunk(with(zstd, true), &sample()),
            stream(with(zstd, false), &sample()),
        ];
        let digests = packed.map(|bytes| Digest::of(&bytes).hex()[..16].to_owned());
        assert_eq!(digests, ["36a55e629be3b80b", "442000b27e287ab3", "4400967a9dc6fe34", "89f50b356d7318dd"]);
    }
}
