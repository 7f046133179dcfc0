//! The forms that pictures are written in, and the flags that say what they show.

use std::io::{self, Write};

use super::context::Context;
use super::error::CliError;
use super::picture::{Clusters, Look};
use super::picture_facts::Facts;
use super::project::Project;
use crate::picture::{self, Picture};

/// Into what a picture is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Boxes of text, for a terminal.
    Text,
    /// An SVG file, which browsers and Markdown pages show.
    Svg,
    /// A page to look around in: search, zoom, and what is known of each target. One file, without a server.
    Html,
    /// Graphviz' DOT language.
    Graph,
    /// Mermaid, for Markdown pages.
    Mermaid,
    /// Nodes and edges, for other programs.
    Json,
}

/// What a picture shows.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// Which targets share a frame
    #[arg(long, value_enum, value_name = "BY")]
    pub clusters: Option<Clusters>,
    /// Ask the store, and the registry for images, how each stands: built, published, in step
    #[arg(long)]
    pub state: bool,
    /// Draw the registry, with what is pushed to it and taken from it
    #[arg(long)]
    pub registry_flow: bool,
}

impl Flags {
    /// Whether anything was asked for that only pictures have.
    pub fn any(&self) -> bool {
        self.clusters.is_some() || self.state || self.registry_flow
    }

    /// What is known of the targets, as far as it is asked for, or the form has room for it.
    pub fn facts(&self, form: Form, project: &Project, cx: &Context) -> Result<Facts, CliError> {
        match form {
            _ if self.state => Facts::states(project, cx),
            Form::Html | Form::Json => Facts::local(project, cx),
            _ => Ok(Facts::default()),
        }
    }

    /// How a workspace is drawn, in clusters `by` unless the call says otherwise.
    pub fn look(&self, by: Clusters, images_only: bool, project: &Project, cx: &Context) -> Result<Look, CliError> {
        Ok(Look {
            title: project.workspace.settings.name.clone(),
            registry: project.registry(cx)?.to_string(),
            clusters: self.clusters.unwrap_or(by),
            images_only,
            registry_flow: self.registry_flow,
        })
    }
}

/// Writes a picture. `width`: of the terminal.
pub fn write(form: Form, picture: &Picture, width: usize, to: &mut dyn Write) -> io::Result<()> {
    match form {
        Form::Text => picture::terminal::write(picture, width, to),
        Form::Svg => picture::svg::write(picture, to),
        Form::Html => picture::html::write(picture, to),
        Form::Graph => picture::dot::write(picture, to),
        Form::Mermaid => picture::mermaid::write(picture, to),
        Form::Json => writeln!(to, "{}", picture::json::value(picture)),
    }
}
