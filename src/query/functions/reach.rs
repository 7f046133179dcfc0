//! What can be reached over dependencies, forwards and backwards: `deps`, `rdeps`, `allrdeps`, `same_pkg_direct_rdeps`.

use super::Call;
use crate::query::error::QueryError;
use crate::query::set::{Found, TargetSet};
use crate::query::walk::reach;

/// `deps(e[, n])`: what `e` needs, directly or not, and `e` itself; at most `n` steps away.
pub fn deps(call: &Call<'_>) -> Result<Found, QueryError> {
    Ok(reach(call.targets(0), call.number(1), |id| call.graph.deps(id), |_| true).into())
}

/// `rdeps(u, e[, n])`: what needs `e` within all that `u` needs, and `e` itself as far as it is part of that.
pub fn rdeps(call: &Call<'_>) -> Result<Found, QueryError> {
    Ok(within(call, call.targets(0), call.targets(1), call.number(2)))
}

/// `allrdeps(e[, n])`: the same within the universe that the call of the program names.
pub fn allrdeps(call: &Call<'_>) -> Result<Found, QueryError> {
    let universe = call.universe.clone().unwrap_or_default();
    Ok(within(call, &universe, call.targets(0), call.number(1)))
}

fn within(call: &Call<'_>, universe: &TargetSet, targets: &TargetSet, steps: Option<usize>) -> Found {
    let universe = reach(universe, None, |id| call.graph.deps(id), |_| true);
    let start = targets.clone().intersection(&universe);
    reach(&start, steps, |id| call.graph.rdeps(id), |id| universe.contains(id)).into()
}

/// `same_pkg_direct_rdeps(e)`: what needs something of `e` directly and is of the package of that.
pub fn same_package(call: &Call<'_>) -> Result<Found, QueryError> {
    let near = |id| {
        let package = call.graph.package(id);
        call.graph.rdeps(id).iter().copied().filter(move |other| package.contains(other))
    };
    Ok(call.targets(0).iter().flat_map(near).collect::<TargetSet>().into())
}
