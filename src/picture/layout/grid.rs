//! Where rows and the cells in them stand, whichever way rows follow each other.
//!
//! *Across* is within a row, *along* from row to row, as edges run; the direction says which of them is x.

use super::rows::Rows;
use super::{Direction, Point};

/// Where a part's cells and rows stand.
pub(super) struct Grid {
    pub direction: Direction,
    /// Of each cell's middle.
    pub across: Vec<f64>,
    /// Where each row begins.
    pub along: Vec<f64>,
    /// How much each row takes.
    pub depth: Vec<f64>,
}

impl Grid {
    /// A place on the picture.
    pub fn point(&self, across: f64, along: f64) -> Point {
        match self.direction {
            Direction::Down => Point { x: across, y: along },
            Direction::Right => Point { x: along, y: across },
        }
    }
}

/// How much a cell takes across and along.
pub(super) fn extent(rows: &Rows, cell: usize, direction: Direction) -> (f64, f64) {
    let cell = &rows.cells[cell];
    if direction == Direction::Down { (cell.width, cell.height) } else { (cell.height, cell.width) }
}
