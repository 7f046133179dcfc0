//! Of targets, some or what belongs to them: `siblings`, `some`, `labels`, `buildfiles`, `tests`, `executables`.

use super::Call;
use crate::query::error::QueryError;
use crate::query::graph::Role;
use crate::query::set::{Found, TargetSet};

/// `siblings(e)`: all targets and files of the packages of `e`.
pub fn siblings(call: &Call<'_>) -> Result<Found, QueryError> {
    Ok(call.targets(0).iter().flat_map(|id| call.graph.package(id)).collect::<TargetSet>().into())
}

/// `some(e[, k])`: the first of `e` by label, or the first `k`. An error where there is none.
pub fn some(call: &Call<'_>) -> Result<Found, QueryError> {
    let found: TargetSet = call.targets(0).iter().take(call.number(1).unwrap_or(1)).collect();
    if call.targets(0).is_empty() {
        return Err(QueryError::evaluation("argument set is empty", call.span.clone()));
    }
    Ok(found.into())
}

/// `labels(a, e)`: what the attribute `a` of `e` names.
pub fn labels(call: &Call<'_>) -> Result<Found, QueryError> {
    Ok(call.targets(1).iter().flat_map(|id| call.graph.labels(id, call.word(0))).collect::<TargetSet>().into())
}

/// `buildfiles(e)`: the files that declare the packages of `e`.
pub fn buildfiles(call: &Call<'_>) -> Result<Found, QueryError> {
    let declares = |id: &u32| call.graph.role(*id) == Role::BuildFile;
    let all = call.targets(0).iter().flat_map(|id| call.graph.package(id));
    Ok(all.filter(declares).collect::<TargetSet>().into())
}

/// `tests(e)`: the checks among `e`.
pub fn tests(call: &Call<'_>) -> Result<Found, QueryError> {
    Ok(of_role(call, Role::Check))
}

/// `executables(e)`: the effects among `e`.
pub fn executables(call: &Call<'_>) -> Result<Found, QueryError> {
    Ok(of_role(call, Role::Effect))
}

fn of_role(call: &Call<'_>, role: Role) -> Found {
    call.targets(0).iter().filter(|id| call.graph.role(*id) == role).collect::<TargetSet>().into()
}
