//! Rows of cells: nodes, and the bends of edges that pass through a row. All edges then join neighbouring rows.

use unicode_width::UnicodeWidthStr;

use super::pack::Part;
use super::{CHARACTER, LINE, size};
use crate::picture::model::{Picture, Role};

/// What stands in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cell {
    /// The node, by its position in the picture; `None`: a bend.
    pub node: Option<usize>,
    /// Whether an edge's text is written here.
    pub labelled: bool,
    pub row: usize,
    pub width: f64,
    pub height: f64,
}

/// An edge's way from its upper to its lower end.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub edge: usize,
    /// Whether it ends at the upper one: what is needed stands above.
    pub ends_above: bool,
    /// From end to end, one a row; the ends alone where it runs straight over all between.
    pub cells: Vec<usize>,
    /// Whether a text stands in its middle that has no cell.
    pub labelled: bool,
}

/// A part in rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub cells: Vec<Cell>,
    /// From top to bottom, each from left to right.
    pub rows: Vec<Vec<usize>>,
    pub chains: Vec<Chain>,
    /// By cell: those that it is joined to in the row above, and how much the two want to be in line.
    pub up: Vec<Vec<(usize, f64)>>,
    /// The same for the row below.
    pub down: Vec<Vec<(usize, f64)>>,
}

/// The rows of a part, in no good order yet. `ranks`: of its nodes; edges that go down more than `bent` of them are straight.
pub(super) fn of(picture: &Picture, part: &Part, ranks: Vec<usize>, bent: usize) -> Rows {
    let mut rows = Rows::default();
    for (node, rank) in part.nodes.iter().zip(ranks) {
        let size = size::of(&picture.nodes[*node]);
        rows.add(Cell { node: Some(*node), row: rank, width: size.width, height: size.height, labelled: false });
    }
    let cell = |node: usize| part.whole.local[node];
    for link in &part.links {
        let ends_above = picture.edges[link.edge].to == link.upper;
        rows.chain(picture, link.edge, ends_above, (cell(link.upper), cell(link.lower)), bent);
    }
    rows.close_up();
    rows
}

/// How many ranks an edge may go down with a bend in each between, so that in all parts there are at most `most` bends.
pub(super) fn longest_bent(parts: &[Part], ranks: &[Vec<usize>], most: usize) -> usize {
    let lengths = parts.iter().zip(ranks).flat_map(|(part, ranks)| {
        let rank = |node: usize| ranks[part.whole.local[node]];
        part.links.iter().map(move |link| rank(link.lower) - rank(link.upper))
    });
    let mut lengths: Vec<usize> = lengths.collect();
    lengths.sort_unstable();
    let mut bends = 0;
    let first_over = lengths.iter().find(|length| {
        bends += length.saturating_sub(1);
        bends > most
    });
    first_over.map_or(usize::MAX, |length| length - 1)
}

impl Rows {
    /// Its cells and links: what a look at all of it takes.
    pub(super) fn size(&self) -> usize {
        self.cells.len() + self.down.iter().map(Vec::len).sum::<usize>()
    }

    fn add(&mut self, cell: Cell) -> usize {
        self.cells.push(cell);
        self.up.push(Vec::new());
        self.down.push(Vec::new());
        self.cells.len() - 1
    }

    /// Joins two cells, with a bend in each row between unless they are more than `bent` rows apart; a text stands at the
    /// middle one.
    fn chain(&mut self, picture: &Picture, edge: usize, ends_above: bool, ends: (usize, usize), bent: usize) {
        let (first, last) = ends;
        let (from, to) = (self.cells[first].row, self.cells[last].row);
        let it = &picture.edges[edge];
        if to - from > bent.max(1) {
            let labelled = !it.text.is_empty();
            return self.chains.push(Chain { edge, ends_above, cells: vec![first, last], labelled });
        }
        let mut cells = vec![first];
        for row in from + 1..to {
            let labelled = row == (from + to) / 2 && !it.text.is_empty();
            let mut cell = Cell { row, labelled, ..Cell::default() };
            if labelled {
                (cell.width, cell.height) = (it.text.width() as f64 * CHARACTER, LINE);
            }
            cells.push(self.add(cell));
        }
        cells.push(last);
        for pair in cells.windows(2) {
            let weight = self.pull(pair) * if it.role == Role::Base { 2.0 } else { 1.0 };
            self.down[pair[0]].push((pair[1], weight));
            self.up[pair[1]].push((pair[0], weight));
        }
        self.chains.push(Chain { edge, ends_above, cells, labelled: false });
    }

    /// Gansner's weights: long edges are to be straight.
    fn pull(&self, pair: &[usize]) -> f64 {
        match pair.iter().filter(|cell| self.cells[**cell].node.is_none()).count() {
            0 => 1.0,
            1 => 2.0,
            _ => 8.0,
        }
    }

    /// Fills the rows, and leaves out those that nothing stands in.
    fn close_up(&mut self) {
        let mut used: Vec<usize> = self.cells.iter().map(|cell| cell.row).collect();
        used.sort_unstable();
        used.dedup();
        self.rows = vec![Vec::new(); used.len()];
        for (at, cell) in self.cells.iter_mut().enumerate() {
            cell.row = used.partition_point(|row| *row < cell.row);
            self.rows[cell.row].push(at);
        }
    }
}
