//! A layer's blob as the tar inside: plain, gzip of any number of members, or zstd of any number of frames.
//!
//! Only reads; how layers are compressed is another file's business. Tells formats apart by their first bytes.

use std::io::{self, BufRead, BufReader, Read};

use crate::oci::media_type::{Family, OCI_TAR, OCI_TAR_GZIP, OCI_TAR_ZSTD};

/// How a layer's blob is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Not at all.
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Format {
    /// What a media type of either family claims; `None` for one that is no layer that we know.
    pub fn of_media_type(media_type: &str) -> Option<Format> {
        match Family::Oci.name_of(media_type)? {
            OCI_TAR => Some(Format::Plain),
            OCI_TAR_GZIP => Some(Format::Gzip),
            OCI_TAR_ZSTD => Some(Format::Zstd),
            foreign if foreign.ends_with(".tar") => Some(Format::Plain),
            foreign if foreign.ends_with(".tar+gzip") => Some(Format::Gzip),
            _ => None,
        }
    }

    fn of_first_bytes(bytes: &[u8]) -> Format {
        match bytes {
            [0x1f, 0x8b, ..] => Format::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Format::Zstd,
            _ => Format::Plain,
        }
    }
}

/// Reads the tar inside a blob, and says how the blob was compressed.
///
/// A truncated blob, or bytes after the last member or frame that are none, are errors on reading.
pub fn decompress<'a>(blob: impl Read + 'a) -> io::Result<(Format, Box<dyn Read + 'a>)> {
    let mut blob = BufReader::with_capacity(128 << 10, blob);
    // One `fill_buf` may give a byte only, where a source is slow: so the magic is read apart and put in front again.
    let mut magic = Vec::with_capacity(4);
    blob.by_ref().take(4).read_to_end(&mut magic)?;
    let format = Format::of_first_bytes(&magic);
    let whole = io::Cursor::new(magic).chain(blob);
    Ok((format, decoder(format, whole)?))
}

fn decoder<'a>(format: Format, blob: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match format {
        Format::Plain => Box::new(blob),
        Format::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(blob)),
        Format::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(blob)?),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(bytes, 1).unwrap()
    }

    fn inside(blob: &[u8]) -> io::Result<(Format, Vec<u8>)> {
        let (format, mut tar) = decompress(blob)?;
        let mut bytes = Vec::new();
        tar.read_to_end(&mut bytes)?;
        Ok((format, bytes))
    }

    #[test]
    fn every_member_and_every_frame_is_read() {
        let many = |pack: fn(&[u8]) -> Vec<u8>| [pack(b"ab"), pack(b""), pack(b"cd")].concat();
        assert_eq!(inside(&many(gzip)).unwrap(), (Format::Gzip, b"abcd".to_vec()));
        assert_eq!(inside(&many(zstd)).unwrap(), (Format::Zstd, b"abcd".to_vec()));
        assert_eq!(inside(b"abcd").unwrap(), (Format::Plain, b"abcd".to_vec()));
        assert_eq!(inside(b"").unwrap(), (Format::Plain, Vec::new()));
    }

    #[test]
    fn a_truncated_blob_or_one_with_more_behind_is_an_error() {
        for pack in [gzip, zstd] {
            let whole = pack(b"some bytes, some bytes, some bytes");
            assert!(inside(&whole[..whole.len() - 3]).is_err());
            assert!(inside(&[&whole[..], b"more than nothing"].concat()).is_err());
        }
    }
}
