//! A workspace that is asked for an expression: opened as far as its words reach, its targets packed as queries see them.
//!
//! What of its mistakes matters is for the verb to say, and what is asked.

use super::context::Context;
use super::error::CliError;
use super::project::{self, Project};
use super::query_graph::Targets;
use crate::exit::Exit;
use crate::label::PackagePath;
use crate::query::known::Known;
use crate::query::packed::Packed;
use crate::query::{QueryGraph, resolve};

/// Reads the workspace around the current folder, as far as some labels and patterns reach.
pub fn open(words: &[&str], cx: &Context) -> Result<Project, CliError> {
    project::open_with(cx, |here| Ok(words.iter().filter_map(|word| resolve::wanted(word, here)).collect()))
}

/// Packs targets and asks their graph, in which relative patterns are taken from the package `here`. Gives the packed
/// graph too.
pub fn ask<T>(
    targets: &Targets<'_>,
    here: &PackagePath,
    ask: impl FnOnce(&dyn QueryGraph) -> Result<T, CliError>,
) -> Result<(T, Vec<u8>), CliError> {
    let bytes = targets.pack();
    let packed = Packed::read(&bytes).ok_or_else(|| CliError::new(Exit::Bug, "a graph was packed wrongly"))?;
    let told = ask(&Known::new(&packed, here, Some(targets)))?;
    drop(packed);
    Ok((told, bytes))
}
