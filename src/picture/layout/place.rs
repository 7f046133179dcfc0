//! Where exactly: cells as near to those that they are joined to as their order allows.
//!
//! A row at a time, all others held, the sum of weighted squares of the distances is made least: pools of adjacent
//! violators (isotonic regression) give the exact answer. As rows limit each other in nothing, repeating that comes to
//! the best of all. At last weights are divided by the distances, so that lengths count and not squares: lines become
//! straight.
//!
//! Coordinates here are *across* a row and *along* the edges; the direction says which of them is x.

use std::collections::HashMap;

use unicode_width::UnicodeWidthStr;

use super::grid::{Grid, extent};
use super::pack::Placed;
use super::rows::Rows;
use super::{Area, CHARACTER, Direction, route};
use crate::picture::model::Picture;

/// Between neighbours in a row, in pixels: nodes, or a bend.
const APART: (f64, f64) = (18.0, 10.0);
/// From row to row where edges run straight.
const GAP: f64 = 38.0;
/// Inside of a frame, and outside.
const PADDING: f64 = 14.0;
/// A frame's title, and the line below it.
const TITLE: (f64, f64) = (26.0, 16.0);
/// Rounds over all rows: at most, and where there are very many cells.
const ROUNDS: (usize, usize) = (60, 16);
/// What all rounds may take, in cells looked at: some seconds.
const EFFORT: usize = 6_000_000;

/// The first and the last row of each cluster; `None`: it has no nodes.
type Spans = Vec<Option<(usize, usize)>>;

/// Lays a part out. `whole`: the cells of all parts, which share what may be taken.
pub(super) fn placed(picture: &Picture, rows: &Rows, direction: Direction, whole: usize) -> Placed {
    let rounds = (EFFORT / whole.max(1)).clamp(ROUNDS.1, ROUNDS.0);
    let across = across(rows, direction, rounds);
    let spans = spans(picture, rows);
    let (along, depth, end) = along(picture, rows, &spans, &across, direction);
    let grid = Grid { direction, across, along, depth };
    let side = |sign: f64| {
        let sides = (0..rows.cells.len()).map(|cell| grid.across[cell] + sign * extent(rows, cell, direction).0 / 2.0);
        sides.map(|side| side * sign).fold(f64::MIN, f64::max) * sign
    };
    let pad = if picture.clusters.is_empty() { 0.0 } else { PADDING };
    // Titles stand at the top of frames: before their rows, or, from left to right, beside them.
    let (title, beside) = match direction {
        Direction::Down => (titles(picture), 0.0),
        Direction::Right => {
            (0.0, (0..picture.clusters.len()).map(|at| head(picture, at) - PADDING).fold(0.0, f64::max))
        }
    };
    let left = side(-1.0) - pad - beside;
    let right = (side(1.0) + pad).max(left + title);
    let grid = Grid { across: grid.across.iter().map(|across| across - left).collect(), ..grid };
    let size = grid.point(right - left, end);
    Placed {
        width: size.x,
        height: size.y,
        nodes: areas(rows, &grid),
        routes: route::routes(rows, &grid),
        clusters: frames(picture, &spans, &grid, right - left),
    }
}

/// The width that the longest of the frames' titles needs.
fn titles(picture: &Picture) -> f64 {
    (0..picture.clusters.len()).map(|cluster| title(picture, cluster)).fold(0.0, f64::max)
}

/// The width that a frame's title and the line below it need; the title is written larger.
fn title(picture: &Picture, cluster: usize) -> f64 {
    let cluster = &picture.clusters[cluster];
    let longest = (cluster.title.width() as f64 * 1.2).max(cluster.doc.width() as f64);
    longest * CHARACTER + 2.0 * PADDING
}

fn areas(rows: &Rows, grid: &Grid) -> Vec<(usize, Area)> {
    let nodes = rows.cells.iter().enumerate().filter_map(|(at, cell)| Some((at, cell.row, cell.node?)));
    let area = |(at, row, node): (usize, usize, usize)| {
        let middle = grid.point(grid.across[at], grid.along[row] + grid.depth[row] / 2.0);
        let (width, height) = (rows.cells[at].width, rows.cells[at].height);
        (node, Area { x: middle.x - width / 2.0, y: middle.y - height / 2.0, width, height })
    };
    nodes.map(area).collect()
}

/// Frames reach from side to side: whatever passes through them is seen to.
fn frames(picture: &Picture, spans: &Spans, grid: &Grid, width: f64) -> Vec<(usize, Area)> {
    let frame = |cluster: usize| {
        let (first, last) = spans[cluster]?;
        let start = grid.along[first] - before(picture, cluster, grid.direction);
        let end = grid.along[last] + grid.depth[last] + PADDING;
        let end = end.max(if grid.direction == Direction::Right { start + title(picture, cluster) } else { end });
        let (corner, size) = (grid.point(0.0, start), grid.point(width, end - start));
        Some((cluster, Area { x: corner.x, y: corner.y, width: size.x, height: size.y }))
    };
    (0..picture.clusters.len()).filter_map(frame).collect()
}

/// What a frame takes before its first row.
fn before(picture: &Picture, cluster: usize, direction: Direction) -> f64 {
    if direction == Direction::Down { head(picture, cluster) } else { PADDING }
}

fn spans(picture: &Picture, rows: &Rows) -> Spans {
    let mut spans = vec![None; picture.clusters.len()];
    for cell in &rows.cells {
        let Some(cluster) = cell.node.and_then(|node| picture.nodes[node].cluster) else { continue };
        let (first, last) = spans[cluster].unwrap_or((cell.row, cell.row));
        spans[cluster] = Some((cell.row.min(first), cell.row.max(last)));
    }
    spans
}

/// What a frame takes above the nodes in it.
fn head(picture: &Picture, cluster: usize) -> f64 {
    PADDING + TITLE.0 + if picture.clusters[cluster].doc.is_empty() { 0.0 } else { TITLE.1 }
}

/// Where rows begin, how much they take, and where all ends.
fn along(
    picture: &Picture,
    rows: &Rows,
    spans: &Spans,
    across: &[f64],
    direction: Direction,
) -> (Vec<f64>, Vec<f64>, f64) {
    let deepest = |row: &Vec<usize>| row.iter().map(|cell| extent(rows, *cell, direction).1).fold(0.0, f64::max);
    let depth: Vec<f64> = rows.rows.iter().map(deepest).collect();
    let by = |end: fn((usize, usize)) -> usize| -> HashMap<usize, usize> {
        spans.iter().enumerate().filter_map(|(cluster, span)| Some((end((*span)?), cluster))).collect()
    };
    let (begins, ends) = (by(|(first, _)| first), by(|(_, last)| last));
    let (mut along, mut end, mut start) = (Vec::new(), 0.0_f64, 0.0);
    for (row, depth) in depth.iter().enumerate() {
        end += if row == 0 { 0.0 } else { gap(rows, row, across) };
        if let Some(cluster) = begins.get(&row) {
            start = end;
            end += before(picture, *cluster, direction);
        }
        along.push(end);
        end += depth;
        if let Some(cluster) = ends.get(&row) {
            let least = if direction == Direction::Right { start + title(picture, *cluster) } else { end };
            end = least.max(end + PADDING);
        }
    }
    (along, depth, end)
}

/// Above a row: more where many edges run flat.
fn gap(rows: &Rows, row: usize, across: &[f64]) -> f64 {
    let links = rows.rows[row]
        .iter()
        .flat_map(|cell| rows.up[*cell].iter().map(|(upper, _)| (across[*cell] - across[*upper]).abs()));
    let (sum, count) = links.fold((0.0, 0.0_f64), |(sum, count), length| (sum + length, count + 1.0));
    GAP + (sum / count.max(1.0) * 0.12 + count).min(90.0)
}

fn across(rows: &Rows, direction: Direction, rounds: usize) -> Vec<f64> {
    let mut across = vec![0.0; rows.cells.len()];
    let offsets: Vec<Vec<f64>> = rows.rows.iter().map(|row| offsets(rows, row, direction)).collect();
    for (row, offsets) in rows.rows.iter().zip(&offsets) {
        let half = offsets.last().copied().unwrap_or(0.0) / 2.0;
        row.iter().zip(offsets).for_each(|(cell, offset)| across[*cell] = offset - half);
    }
    for round in 0..rounds {
        let (one_side, straight) = (round < rounds / 4, round >= rounds / 2);
        let down = round.is_multiple_of(2);
        for step in 0..rows.rows.len() {
            let row = if down { step } else { rows.rows.len() - 1 - step };
            let wishes = wishes(rows, row, &across, (one_side, down), straight);
            let best = pooled(&wishes, &offsets[row]);
            rows.rows[row].iter().zip(best).for_each(|(cell, best)| across[*cell] = best);
        }
    }
    across
}

/// How far each cell of a row is from the first when they stand as close as they may.
fn offsets(rows: &Rows, row: &[usize], direction: Direction) -> Vec<f64> {
    let mut offsets = vec![0.0; row.len()];
    for at in 1..row.len() {
        let (a, b) = (row[at - 1], row[at]);
        let both_nodes = rows.cells[a].node.is_some() && rows.cells[b].node.is_some();
        let apart = if both_nodes { APART.0 } else { APART.1 };
        offsets[at] = offsets[at - 1] + (extent(rows, a, direction).0 + extent(rows, b, direction).0) / 2.0 + apart;
    }
    offsets
}

/// Where each cell of a row would like to be, and how much: the mean of its neighbours.
fn wishes(rows: &Rows, row: usize, across: &[f64], (one_side, down): (bool, bool), straight: bool) -> Vec<(f64, f64)> {
    let wish = |cell: &usize| {
        let up = rows.up[*cell].iter().filter(|_| down || !one_side);
        let near = up.chain(rows.down[*cell].iter().filter(|_| !down || !one_side));
        let weighed = near.map(|(other, weight)| {
            let by = if straight { (across[*other] - across[*cell]).abs().max(2.0) } else { 1.0 };
            (across[*other], weight / by)
        });
        // Whoever has no neighbour stays, but gives way.
        let (sum, all) = weighed.fold((across[*cell] * 1e-4, 1e-4), |(sum, all), (at, by)| (sum + at * by, all + by));
        (sum / all, all)
    };
    rows.rows[row].iter().map(wish).collect()
}

/// The places nearest to the wishes, by weighted squares, that are apart by the offsets: neighbours whose wishes clash
/// are pooled at their mean.
fn pooled(wishes: &[(f64, f64)], offsets: &[f64]) -> Vec<f64> {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for ((wish, weight), offset) in wishes.iter().zip(offsets) {
        let mut pool = (wish - offset, *weight, 1);
        while let Some(last) = pools.pop_if(|last| last.0 >= pool.0) {
            let weight = last.1 + pool.1;
            pool = ((last.0 * last.1 + pool.0 * pool.1) / weight, weight, last.2 + pool.2);
        }
        pools.push(pool);
    }
    let starts = pools.into_iter().flat_map(|(at, _, count)| std::iter::repeat_n(at, count));
    starts.zip(offsets).map(|(start, offset)| start + offset).collect()
}
