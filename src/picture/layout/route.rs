//! How lines run: from side to side of nodes, upright through the rows that they pass, and in a swing between rows.

use super::grid::{Grid, extent};
use super::rows::{Chain, Rows};
use super::{Point, Route};

/// The most between two lines that end at a node, in pixels.
const PORTS: f64 = 14.0;
/// The part of a node's side that lines may end at.
const SIDE: f64 = 0.6;

/// The lines of all edges, by their positions.
pub(super) fn routes(rows: &Rows, grid: &Grid) -> Vec<(usize, Route)> {
    let ports = Ports::of(rows, grid);
    rows.chains.iter().enumerate().map(|(at, chain)| (chain.edge, route(rows, grid, chain, ports.ends[at]))).collect()
}

/// Where each chain ends across, at its upper and at its lower node.
struct Ports {
    ends: Vec<(f64, f64)>,
}

impl Ports {
    /// Lines at a node's side stand in the order of where they go, so that they do not cross.
    fn of(rows: &Rows, grid: &Grid) -> Self {
        let mut sides: Vec<(Vec<usize>, Vec<usize>)> = vec![Default::default(); rows.cells.len()];
        for (at, chain) in rows.chains.iter().enumerate() {
            sides[chain.cells[0]].1.push(at);
            sides[chain.cells[chain.cells.len() - 1]].0.push(at);
        }
        let mut ports = Self { ends: vec![(0.0, 0.0); rows.chains.len()] };
        for (cell, (above, below)) in sides.into_iter().enumerate() {
            let before_last = |chain: &usize| rows.chains[*chain].cells[rows.chains[*chain].cells.len() - 2];
            for (chain, across) in spread(rows, grid, cell, above, before_last) {
                ports.ends[chain].1 = across;
            }
            for (chain, across) in spread(rows, grid, cell, below, |chain| rows.chains[*chain].cells[1]) {
                ports.ends[chain].0 = across;
            }
        }
        ports
    }
}

fn spread(
    rows: &Rows,
    grid: &Grid,
    cell: usize,
    mut chains: Vec<usize>,
    next: impl Fn(&usize) -> usize,
) -> Vec<(usize, f64)> {
    chains.sort_by(|a, b| grid.across[next(a)].total_cmp(&grid.across[next(b)]));
    let last = chains.len().saturating_sub(1) as f64;
    let step = PORTS.min(extent(rows, cell, grid.direction).0 * SIDE / last.max(1.0));
    let across = |at: usize| grid.across[cell] + (at as f64 - last / 2.0) * step;
    chains.iter().enumerate().map(|(at, chain)| (*chain, across(at))).collect()
}

fn route(rows: &Rows, grid: &Grid, chain: &Chain, (upper, lower): (f64, f64)) -> Route {
    let side = |cell: usize, sign: f64| {
        let row = rows.cells[cell].row;
        grid.along[row] + grid.depth[row] / 2.0 + sign * extent(rows, cell, grid.direction).1 / 2.0
    };
    let (first, last) = (chain.cells[0], chain.cells[chain.cells.len() - 1]);
    let mut stops = vec![(upper, side(first, 1.0)), (upper, end(grid, rows.cells[first].row))];
    let mut label = None;
    for bend in &chain.cells[1..chain.cells.len() - 1] {
        let (row, across) = (rows.cells[*bend].row, grid.across[*bend]);
        let (start, end) = (grid.along[row], end(grid, row));
        stops.extend([(across, start), (across, end)]);
        label = label.or(rows.cells[*bend].labelled.then(|| grid.point(across, start.midpoint(end))));
    }
    // Straight through what is left of a row: a higher neighbour may reach further.
    stops.extend([(lower, grid.along[rows.cells[last].row]), (lower, side(last, -1.0))]);
    stops.dedup_by(|a, b| (a.1 - b.1).abs() < 0.01);
    label = label.or_else(|| chain.labelled.then(|| halfway(grid, &stops)));
    let mut curve = curve(grid, &stops);
    if chain.ends_above {
        curve.reverse();
    }
    Route { curve, label }
}

/// The middle between the ends of a line that swings but once.
fn halfway(grid: &Grid, stops: &[(f64, f64)]) -> Point {
    let ((across, along), (to_across, to_along)) = (stops[0], stops[stops.len() - 1]);
    grid.point(across.midpoint(to_across), along.midpoint(to_along))
}

fn end(grid: &Grid, row: usize) -> f64 {
    grid.along[row] + grid.depth[row]
}

/// Curves that leave each stop and come to the next along the edge.
fn curve(grid: &Grid, stops: &[(f64, f64)]) -> Vec<Point> {
    let mut curve = vec![grid.point(stops[0].0, stops[0].1)];
    for pair in stops.windows(2) {
        let ((across, along), (to_across, to_along)) = (pair[0], pair[1]);
        let half = along.midpoint(to_along);
        curve.extend([grid.point(across, half), grid.point(to_across, half), grid.point(to_across, to_along)]);
    }
    curve
}
