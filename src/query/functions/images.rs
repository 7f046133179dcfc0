//! What a platform in layers asks of images: `images`, `layers`, `base`, `bases`, `published`, `requires`.

use super::Call;
use crate::query::error::QueryError;
use crate::query::graph::{Id, QueryGraph, Role};
use crate::query::set::{Found, TargetSet};

/// `images(e)`: the images among `e`, pulled ones too, and those that indexes among `e` hold.
pub fn images(call: &Call<'_>) -> Result<Found, QueryError> {
    let is_image = |id: &Id| matches!(call.graph.role(*id), Role::Image | Role::Pulled);
    Ok(with_parts(call, Role::Index).filter(is_image).collect::<TargetSet>().into())
}

/// `layers(e)`: the layers among `e`, and those that images among `e` list themselves.
pub fn layers(call: &Call<'_>) -> Result<Found, QueryError> {
    let is_layer = |id: &Id| call.graph.role(*id) == Role::Layer;
    Ok(with_parts(call, Role::Image).filter(is_layer).collect::<TargetSet>().into())
}

/// The targets, and the parts of those that are of a role.
fn with_parts<'c>(call: &'c Call<'_>, of: Role) -> impl Iterator<Item = Id> + 'c {
    let parts = move |id: Id| if call.graph.role(id) == of { call.graph.parts(id) } else { Vec::new() };
    call.targets(0).iter().flat_map(move |id| std::iter::once(id).chain(parts(id)))
}

/// `base(e)`: what the images among `e` stand on directly.
pub fn base(call: &Call<'_>) -> Result<Found, QueryError> {
    Ok(call.targets(0).iter().filter_map(|id| call.graph.base(id)).collect::<TargetSet>().into())
}

/// `bases(e)`: what they stand on, and what that stands on, down to the last.
pub fn bases(call: &Call<'_>) -> Result<Found, QueryError> {
    let mut below = TargetSet::new();
    for id in call.targets(0).iter() {
        let mut at = id;
        while let Some(base) = call.graph.base(at).filter(|base| below.insert(*base)) {
            at = base;
        }
    }
    Ok(below.into())
}

/// `published(e)`: those of `e` that are taken from a registry as published, and not built here.
pub fn published(call: &Call<'_>) -> Result<Found, QueryError> {
    Ok(call.targets(0).iter().filter(|id| call.graph.is_published(*id)).collect::<TargetSet>().into())
}

/// `requires(name, e)`: the images among `e` whose containers need the variable, since they or what they stand on ask for it.
pub fn requires(call: &Call<'_>) -> Result<Found, QueryError> {
    let asks = |id: &Id| chain(call.graph, *id).any(|image| call.graph.requires(image).contains(&call.word(0)));
    Ok(call.targets(1).iter().filter(asks).collect::<TargetSet>().into())
}

/// An image and what it stands on, as far as a circle lets it.
fn chain(graph: &dyn QueryGraph, image: Id) -> impl Iterator<Item = Id> + '_ {
    std::iter::successors(Some(image), |id| graph.base(*id)).take(graph.len())
}
