//! `tar`: a layer of an archive's members, from the workspace or from a URL with its sha256.

use camino::Utf8PathBuf;

use super::{Context, Rule, Source, Target, shared};
use crate::action::{Archive, Fetch, Operation, SourceFile, TarLayer};
use crate::diagnostic::Diagnostic;
use crate::digest::Digest;
use crate::workspace::attributes::Spanned;
use crate::workspace::globs::Glob;
use crate::workspace::schema::{Purpose, RuleSchema, Type, optional};

/// The rule.
pub static RULE: Rule = Rule {
    schema: RuleSchema {
        name: "tar",
        purpose: Purpose::Layer,
        doc: "A layer of an archive's members: plain tar, or tar in gzip, zstd or xz. Modes, numeric owners, links, \
              devices and extended attributes are kept; times and user names are not.",
        example: "[tar.rootfs]\nsrc = \"base.tar.xz\"\n",
        attributes: &[
            optional("src", Type::String, "The archive, a path below the package. Either this or `url`."),
            optional("url", Type::String, "Where the archive is fetched from, once; needs `sha256`."),
            optional("sha256", Type::String, "64 hex digits: what the archive must have. May be left out with `src`."),
            shared::COMPRESSION,
        ],
    },
    lower,
};

fn lower(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let attributes = target.attributes;
    let archive = match (attributes.text("src"), attributes.text("url")) {
        (Some(src), None) => source(target, src, context),
        (None, Some(url)) => fetched(target, url, context),
        (Some(src), Some(url)) => Err(Diagnostic::error("`src` and `url` exclude each other")
            .at(url.span, "the archive can come from one place only")
            .also(src.span, "it is in the workspace already")),
        (None, None) => Err(Diagnostic::error(format!("{} names no archive", target.label))
            .at(target.span, "needs `src`, or `url` and `sha256`")),
    };
    let compression = shared::compression(target);
    match (archive, compression) {
        (Ok(archive), Ok(compression)) => {
            Ok(Operation::Tar(TarLayer { archive, compression, mtime: target.defaults.epoch }))
        }
        (archive, compression) => Err(archive.err().into_iter().chain(compression.err()).collect()),
    }
}

fn source(target: &Target<'_>, src: Spanned<&str>, context: &dyn Context) -> Result<Archive, Diagnostic> {
    let fail = |message: String| Diagnostic::error(message).at(src.span, "the archive named here");
    if crate::workspace::globs::is_glob(src.value) {
        return Err(fail("`src` is one archive, not a glob".into()));
    }
    let glob = Glob::new(src.value).map_err(|error| fail(error.to_string()))?;
    let found = context.glob(target.directory, &[glob]);
    let files: Vec<Utf8PathBuf> = found.map_err(|errors| fail(errors[0].1.to_string()))?;
    match context.identify(&files).pop() {
        Some(Ok(Source::File { digest, size, stamp, .. })) => {
            pinned(target, digest)?;
            Ok(Archive::Source(SourceFile { path: target.directory.join(src.value), digest, size, stamp }))
        }
        Some(Ok(Source::Link(to))) => {
            Err(fail(format!("`{}` is a symbolic link to `{to}`", src.value)).help("name the archive itself"))
        }
        Some(Err(why)) => Err(fail(why)),
        None => Err(fail(format!("`{}` does not exist", src.value))),
    }
}

fn fetched(target: &Target<'_>, url: Spanned<&str>, context: &dyn Context) -> Result<Archive, Diagnostic> {
    let Some(digest) = expected(target)? else {
        return Err(Diagnostic::error("`url` without `sha256`")
            .at(url.span, "what comes from here is not pinned")
            .help("add sha256 = \"…\": a build takes nothing whose digest it does not know"));
    };
    if !["http://", "https://"].iter().any(|scheme| url.value.starts_with(scheme)) {
        return Err(Diagnostic::error("`url` must begin with `https://` or `http://`").at(url.span, ""));
    }
    Ok(Archive::Fetched(context.fetch(target.label, Fetch { url: url.value.to_owned(), digest: digest.value })))
}

/// What `sha256` says; `None` where it is left out.
fn expected(target: &Target<'_>) -> Result<Option<Spanned<Digest>>, Diagnostic> {
    let Some(Spanned { value, span }) = target.attributes.text("sha256") else { return Ok(None) };
    let wrong =
        || Diagnostic::error(format!("`{value}` is not a SHA-256")).at(span, "expected 64 lower-case hex digits");
    Digest::from_hex(value).map(|value| Some(Spanned { value, span })).ok_or_else(wrong)
}

/// An archive of the workspace against its `sha256`, where it has one.
fn pinned(target: &Target<'_>, found: Digest) -> Result<(), Diagnostic> {
    match expected(target)? {
        Some(expected) if expected.value != found => {
            Err(Diagnostic::error(format!("the archive of {} has digest {found}", target.label))
                .at(expected.span, "another one is asked for")
                .help("if the new content is meant, change `sha256`"))
        }
        _ => Ok(()),
    }
}
