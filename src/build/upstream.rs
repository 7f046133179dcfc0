//! What one action stands on: the outputs of its inputs, and of an image all layers below it.

use super::image;
use super::pull::origin;
use crate::action::key::Inputs;
use crate::action::record::{ImageOutput, LayerOutput, Output};
use crate::action::{ActionGraph, ActionId, ImageAction, Operation, RunAction, RunBase};
use crate::base::fetch::Origin;
use crate::digest::Digest;
use crate::oci::listing::Listing;
use crate::platform::Platform;
use crate::reference::Repository;

/// The outputs that one action stands on: its inputs, and of an image all layers below it.
pub struct Upstream {
    direct: Vec<(ActionId, String, Output)>,
    below: Vec<(String, Output)>,
    outline: Option<(String, Listing)>,
    pulled: Option<Repository>,
    tested: Vec<Tested>,
}

/// An image that a test looks into, and what is known of its layers.
#[derive(Debug, Clone)]
pub struct Tested {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub image: ImageOutput,
    /// The image below it that is somebody else's; its own where it is one itself. `None`: all layers are of ours.
    pub base: Option<TestedBase>,
    /// Layers of ours on top of that, lowest first, each with the target that made it.
    pub layers: Vec<(String, LayerOutput)>,
}

/// Somebody else's image below one that is tested.
#[derive(Debug, Clone)]
pub struct TestedBase {
    /// What it is called.
    pub name: String,
    /// Where it lies.
    pub origin: Origin,
    /// What it runs on.
    pub platform: Platform,
    /// What its layers make together, which the store may lack; `None`: nobody has looked.
    pub listing: Option<Digest>,
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
        let tested = match &action.operation {
            Operation::ImageTest(test) => graph.images_of(test.image),
            _ => Vec::new(),
        };
        let tested = tested.into_iter().filter_map(|image| Tested::gather(image, graph, &output)).collect();
        Upstream { direct, below: below.collect(), outline, pulled, tested }
    }

    /// What commands run over that are no action of the graph.
    pub fn of_run<'a>(
        run: &RunAction,
        graph: &ActionGraph,
        output: impl Fn(ActionId) -> Option<&'a Output>,
    ) -> Upstream {
        let known = |id: ActionId| Some((id, graph.get(id).name(), output(id)?.clone()));
        let direct = run.upstream().into_iter().filter_map(known).collect();
        let (below, tested) = (Vec::new(), Vec::new());
        Upstream { direct, below, outline: None, pulled: repository_below(run, graph), tested }
    }

    /// The first input's.
    pub fn first(&self) -> Option<&Output> {
        self.direct.first().map(|(_, _, output)| output)
    }

    /// Where the layers of the pulled image below a run are, which the store may lack; `None` without one.
    pub fn repository(&self) -> Option<&Repository> {
        self.pulled.as_ref()
    }

    /// The images that a test looks into.
    pub fn tested(&self) -> &[Tested] {
        &self.tested
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

impl Tested {
    fn gather<'a>(
        image: ActionId,
        graph: &ActionGraph,
        output: impl Fn(ActionId) -> Option<&'a Output>,
    ) -> Option<Tested> {
        let base = graph.pulled_below(image).and_then(|(id, pull)| {
            let (name, platform) = (graph.get(id).name(), pull.platform.clone());
            Some(TestedBase { name, origin: origin(pull)?, platform, listing: Some(pull.image()?.listing) })
        });
        let layers = graph.layers_of(image).into_iter().filter_map(|id| match output(id)? {
            Output::Layer(layer) => Some((graph.get(id).label.to_string(), layer.clone())),
            _ => None,
        });
        let image_output = output(image).and_then(as_image)?.clone();
        Some(Tested { name: graph.get(image).name(), image: image_output, base, layers: layers.collect() })
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
