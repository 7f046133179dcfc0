//! What one action stands on: the outputs of its inputs, and of an image all layers below it.

use super::image;
use crate::action::key::Inputs;
use crate::action::record::{ImageOutput, Output};
use crate::action::{ActionGraph, ActionId, ImageAction, Operation, RunAction, RunBase};
use crate::digest::Digest;
use crate::oci::listing::Listing;
use crate::reference::Repository;

/// The outputs that one action stands on: its inputs, and of an image all layers below it.
pub struct Upstream {
    direct: Vec<(ActionId, String, Output)>,
    below: Vec<(String, Output)>,
    outline: Option<(String, Listing)>,
    pulled: Option<Repository>,
}

impl Upstream {
    /// What `id` stands on, of outputs as `output` knows them.
    pub fn gather<'a>(id: ActionId, graph: &ActionGraph, output: impl Fn(ActionId) -> Option<&'a Output>) -> Upstream {
        let action = graph.get(id);
        let known = |id: ActionId| Some((id, graph.get(id).name(), output(id)?.clone()));
        let direct = action.operation.inputs().into_iter().filter_map(known).collect();
        let base = match &action.operation {
            Operation::Image(image) => image.base,
            _ => None,
        };
        let below = base
            .map(|base| graph.layers_of(base))
            .unwrap_or_default()
            .into_iter()
            .filter_map(known)
            .map(|(_, label, output)| (label, output));
        let pulled = base.and_then(|base| graph.pulled_below(base));
        let outline = pulled.and_then(|(id, pull)| Some((graph.get(id).name(), pull.image()?.outline.clone())));
        let pulled = match &action.operation {
            Operation::Run(run) => repository_below(run, graph),
            Operation::Exec(exec) => repository_below(&exec.step, graph),
            Operation::Cargo(cargo) => repository_below(&cargo.step, graph),
            _ => None,
        };
        Upstream { direct, below: below.collect(), outline, pulled }
    }

    /// What commands run over that are no action of the graph.
    pub fn of_run<'a>(
        run: &RunAction,
        graph: &ActionGraph,
        output: impl Fn(ActionId) -> Option<&'a Output>,
    ) -> Upstream {
        let known = |id: ActionId| Some((id, graph.get(id).name(), output(id)?.clone()));
        let direct = run.upstream().into_iter().filter_map(known).collect();
        Upstream { direct, below: Vec::new(), outline: None, pulled: repository_below(run, graph) }
    }

    /// The first input's.
    pub fn first(&self) -> Option<&Output> {
        self.direct.first().map(|(_, _, output)| output)
    }

    /// Where the layers of the pulled image below a run are, which the store may lack; `None` without one.
    pub fn repository(&self) -> Option<&Repository> {
        self.pulled.as_ref()
    }

    /// An input's.
    pub fn output(&self, id: ActionId) -> Option<&Output> {
        self.direct.iter().find(|(input, ..)| *input == id).map(|(_, _, output)| output)
    }

    /// The images of an index, each with what it is called.
    pub fn images(&self) -> Vec<(&str, &ImageOutput)> {
        self.direct.iter().filter_map(|(_, name, output)| Some((name.as_str(), as_image(output)?))).collect()
    }

    /// Sorted into what an image is made of.
    pub fn parts<'a>(&'a self, action: &ImageAction) -> image::Parts<'a> {
        let base = action.base.and_then(|id| self.output(id)).and_then(as_image);
        let own = self.direct.iter().filter_map(|(_, label, output)| layer(label, output)).collect();
        let below = self.below.iter().filter_map(|(label, output)| layer(label, output)).collect();
        let outline = self.outline.as_ref().map(|(label, outline)| (&**label, outline));
        image::Parts { base, outline, below, own }
    }
}

/// Where the layers of the pulled image are that commands run over.
fn repository_below(run: &RunAction, graph: &ActionGraph) -> Option<Repository> {
    match run.base {
        RunBase::Image(image) => graph.pulled_below(image).map(|(_, pull)| pull.repository.clone()),
        RunBase::Layers(_) | RunBase::Host => None,
    }
}

fn as_image(output: &Output) -> Option<&ImageOutput> {
    match output {
        Output::Image(image) => Some(image),
        _ => None,
    }
}

fn layer<'a>(label: &str, output: &'a Output) -> Option<image::Below<'a>> {
    match output {
        Output::Layer(layer) => Some(image::Below { label: label.to_owned(), layer }),
        _ => None,
    }
}

impl Inputs for Upstream {
    fn digest(&self, id: ActionId) -> Option<Digest> {
        self.output(id).map(Output::digest)
    }

    fn label(&self, id: ActionId) -> String {
        self.direct.iter().find(|(input, ..)| *input == id).map(|(_, label, _)| label.clone()).unwrap_or_default()
    }
}
