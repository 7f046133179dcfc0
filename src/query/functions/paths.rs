//! How targets hang together: `somepath`, `allpaths`.

use super::Call;
use crate::query::error::QueryError;
use crate::query::graph::Id;
use crate::query::set::{Found, TargetSet};
use crate::query::walk::reach;

/// `somepath(s, e)`: a shortest path from `s` to `e`, in its order; of several, the one that begins first by label and
/// goes on as written first. Nothing where there is none.
pub fn somepath(call: &Call<'_>) -> Result<Found, QueryError> {
    let (starts, ends) = (call.targets(0), call.targets(1));
    let mut rings = vec![ends.clone()];
    let mut seen = ends.clone();
    loop {
        let last = &rings[rings.len() - 1];
        if let Some(start) = last.iter().find(|id| starts.contains(*id)) {
            return Ok(Found::path(follow(call, start, &rings)));
        }
        let before = last.iter().flat_map(|id| call.graph.rdeps(id)).copied();
        let ring: TargetSet = before.filter(|id| seen.insert(*id)).collect();
        if ring.is_empty() {
            return Ok(TargetSet::new().into());
        }
        rings.push(ring);
    }
}

/// From ring to ring, each one step nearer to the end.
fn follow(call: &Call<'_>, start: Id, rings: &[TargetSet]) -> Vec<Id> {
    let mut path = vec![start];
    let mut at = start;
    for ring in rings.iter().rev().skip(1) {
        let next = call.graph.deps(at).iter().copied().find(|dep| ring.contains(*dep));
        at = next.unwrap_or(at);
        path.push(at);
    }
    path
}

/// `allpaths(s, e)`: everything on any path from `s` to `e`.
pub fn allpaths(call: &Call<'_>) -> Result<Found, QueryError> {
    let reached = reach(call.targets(0), None, |id| call.graph.deps(id), |_| true);
    let ends = call.targets(1).clone().intersection(&reached);
    Ok(reach(&ends, None, |id| call.graph.rdeps(id), |id| reached.contains(id)).into())
}
