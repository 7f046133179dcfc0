//! How a query's answer is shown: the outputs and their flags, and which form of `query::format` is which.

use std::io::{self, Write};

use super::picture_form::{Flags, Form};
use crate::query::format::{self, Drawn};
use crate::query::order::{self, Order};
use crate::query::{Found, QueryGraph, TargetSet};

/// How targets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// One label a line.
    Label,
    /// What each is, and its label.
    #[value(name = "label_kind", alias = "label-kind")]
    LabelKind,
    /// The packages, each once.
    Package,
    /// Where each is declared, what it is, and its label.
    Location,
    /// Each as TOML, with the rule that made it and the places.
    Build,
    /// How many steps each is away from what nothing needs, by the shortest way.
    Minrank,
    /// The same by the longest way.
    Maxrank,
    /// A graph in Graphviz' DOT language.
    Graph,
    /// A graph in Mermaid, for Markdown pages.
    Mermaid,
    /// A picture in an SVG file.
    Svg,
    /// A page to look around in, one file.
    Html,
    /// An array of objects.
    Json,
    /// An object a line.
    Jsonl,
}

impl Output {
    /// Whether it is a picture, which source files would crowd.
    fn is_picture(self) -> bool {
        matches!(self, Output::Graph | Output::Mermaid | Output::Svg | Output::Html)
    }

    /// Whether it shows more of targets than how they hang together.
    pub fn shows_details(self) -> bool {
        matches!(self, Output::Location | Output::Build | Output::Json | Output::Jsonl)
    }
}

/// In which order lists are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OrderOutput {
    /// By label; a path as it leads.
    Auto,
    /// Any.
    No,
    /// What needs something before what it needs.
    Deps,
    /// The same, of several by label.
    Full,
}

/// The flags.
#[derive(Debug, Clone, clap::Args)]
pub struct Show {
    /// How to show them
    #[arg(long, value_enum, default_value_t = Output::Label)]
    pub output: Output,
    /// The order of lists
    #[arg(long, value_enum, alias = "order_output", value_name = "ORDER", default_value_t = OrderOutput::Auto)]
    pub order_output: OrderOutput,
    /// Leave source files out; pictures always do
    #[arg(long)]
    pub no_source_files: bool,
    /// Draw source files too
    #[arg(long, conflicts_with = "no_source_files")]
    pub source_files: bool,
    /// Draw each target by itself, also those that edges can't tell apart
    #[arg(long, alias = "nograph:factored")]
    pub no_factored: bool,
    /// The most characters of a node that stands for several targets; -1: any number
    #[arg(long, alias = "graph:node_limit", value_name = "N", default_value_t = 1024, allow_negative_numbers = true)]
    pub node_limit: i64,
    /// What pictures show
    #[command(flatten)]
    pub picture: Flags,
}

impl Show {
    /// Whether source files are seen.
    pub fn files(&self) -> bool {
        self.source_files || !self.no_source_files && !self.output.is_picture()
    }

    /// Whether source files are told of targets that are shown, whatever is asked.
    pub fn tells_files(&self) -> bool {
        self.files() && matches!(self.output, Output::Json | Output::Jsonl)
    }

    /// The form, where a picture with frames, shapes and states is asked for.
    pub fn form(&self) -> Option<Form> {
        match self.output {
            Output::Svg => Some(Form::Svg),
            Output::Html => Some(Form::Html),
            Output::Graph => self.picture.any().then_some(Form::Graph),
            Output::Mermaid => self.picture.any().then_some(Form::Mermaid),
            _ => None,
        }
    }

    /// What a picture shows of an answer.
    pub fn drawn(&self, found: &TargetSet, graph: &dyn QueryGraph) -> TargetSet {
        found.iter().filter(|id| self.files() || !graph.role(*id).is_file()).collect()
    }

    /// Writes an answer.
    pub fn write(&self, found: Found, graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
        let found = if self.files() { found } else { found.only(|id| !graph.role(id).is_file()) };
        let limit = usize::try_from(self.node_limit).ok();
        let drawn = Drawn { factored: !self.no_factored, limit };
        let list = |format: format::Format, to| format(&order::ordered(&found, graph, self.order()), graph, to);
        match self.output {
            Output::Label => list(format::label, to),
            Output::LabelKind => list(format::label_kind, to),
            Output::Package => list(format::package, to),
            Output::Location => list(format::location, to),
            Output::Build => list(format::build, to),
            Output::Json => format::json(&order::ordered(&found, graph, self.order()), self.files(), graph, to),
            Output::Jsonl => format::jsonl(&order::ordered(&found, graph, self.order()), self.files(), graph, to),
            Output::Minrank => format::ranks(&found.targets, false, graph, to),
            Output::Maxrank => format::ranks(&found.targets, true, graph, to),
            Output::Graph => format::dot(&found.targets, drawn, graph, to),
            Output::Mermaid => format::mermaid(&found.targets, drawn, graph, to),
            // They are drawn by whoever has the workspace.
            Output::Svg | Output::Html => Ok(()),
        }
    }

    fn order(&self) -> Order {
        match self.order_output {
            OrderOutput::Auto => Order::Auto,
            OrderOutput::No => Order::None,
            OrderOutput::Deps | OrderOutput::Full => Order::Dependencies,
        }
    }
}
