//! Boxes of text above one another, joined by arrows: between neighbours in the middle, past others by rails at the right.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use unicode_width::UnicodeWidthChar as _;

/// What stands in a box.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Lines; the longest decides nothing, the width does.
    pub text: Vec<String>,
    /// What the arrow says that comes from the box above; `None`: there is none.
    pub joined: Option<String>,
}

/// Characters, by row.
#[derive(Debug, Default)]
pub struct Canvas {
    rows: Vec<Vec<char>>,
}

/// Stands in a column that the letter before it takes too.
const COVERED: char = '\0';
/// Columns that a rail takes.
const RAIL: usize = 3;
/// The most rails beside one another. More would help no eye: then none is drawn, and boxes tell by themselves what they
/// need.
const MOST: usize = 100;

impl Canvas {
    /// How many columns the rails of some arrows take.
    pub fn room(arrows: &BTreeSet<(usize, usize)>) -> usize {
        let columns = columns(arrows);
        columns.values().max().map_or(0, |last| (last + 1) * RAIL + 1)
    }

    /// Writes the rows; none ends with spaces.
    pub fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        self.rows.iter().try_for_each(|row| {
            writeln!(to, "{}", row.iter().filter(|letter| **letter != COVERED).collect::<String>().trim_end())
        })
    }

    fn text(&mut self, row: usize, column: usize, text: &str) {
        let mut at = column;
        for letter in text.chars() {
            self.set(row, at, letter);
            (1..letter.width().unwrap_or(0)).for_each(|more| self.set(row, at + more, COVERED));
            at += letter.width().unwrap_or(0);
        }
    }

    fn set(&mut self, row: usize, column: usize, letter: char) {
        while self.rows.len() <= row {
            self.rows.push(Vec::new());
        }
        let row = &mut self.rows[row];
        while row.len() <= column {
            row.push(' ');
        }
        row[column] = letter;
    }

    fn get(&self, row: usize, column: usize) -> char {
        self.rows.get(row).and_then(|row| row.get(column)).copied().unwrap_or(' ')
    }

    /// Lays a line over what is there, so that lines cross.
    fn cross(&mut self, row: usize, column: usize, letter: char) {
        let both = match (self.get(row, column), letter) {
            ('─', '│') | ('│', '─') => '┼',
            (_, letter) => letter,
        };
        self.set(row, column, both);
    }
}

/// Draws boxes whose text has `inner` columns. `arrows`: which box is consumed by which, by position.
pub fn draw(mut frames: Vec<Frame>, inner: usize, arrows: &BTreeSet<(usize, usize)>) -> Canvas {
    let columns = columns(arrows);
    let is_drawn = |arrow: &(usize, usize)| is_rail(*arrow) && columns.contains_key(&arrow.0);
    let rails: Vec<(usize, usize)> = arrows.iter().copied().filter(is_drawn).collect();
    let mut ends = vec![0; frames.len()];
    rails.iter().for_each(|(_, to)| ends[*to] += 1);
    for (frame, ends) in frames.iter_mut().zip(&ends) {
        // A row for each rail that ends here, and one for that which begins.
        while frame.text.len() < ends + 1 {
            frame.text.push(String::new());
        }
    }
    let mut canvas = Canvas::default();
    let tops = boxes(&mut canvas, &frames, inner);
    ends.fill(0);
    for rail in rails.chunk_by(|a, b| a.0 == b.0) {
        let from = rail[0].0;
        let end = |(_, to): &(usize, usize)| {
            ends[*to] += 1;
            tops[*to] + ends[*to]
        };
        let (start, ends) = (tops[from] + frames[from].text.len(), rail.iter().map(end).collect());
        draw_rail(&mut canvas, inner + 3, inner + 3 + (columns[&from] + 1) * RAIL, start, ends);
    }
    canvas
}

/// Whether an arrow goes past other boxes, or up.
fn is_rail((from, to): (usize, usize)) -> bool {
    to != from + 1
}

/// The column of each box's rail, from the inside: those that would run beside one another lie apart. None where there
/// are too many.
fn columns(arrows: &BTreeSet<(usize, usize)>) -> BTreeMap<usize, usize> {
    let mut spans: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (from, to) in arrows.iter().copied().filter(|arrow| is_rail(*arrow)) {
        let span = spans.entry(from).or_insert((from, from));
        *span = (span.0.min(to), span.1.max(to));
    }
    // Of each column, where its uppermost rail begins. All before have begun further down, so one that meets none of them
    // ends above.
    let mut taken: Vec<usize> = Vec::new();
    let mut column = |(from, span): (&usize, &(usize, usize))| {
        let free = taken.iter().position(|start| span.1 < *start).unwrap_or(taken.len());
        taken.resize(taken.len().max(free + 1), usize::MAX);
        taken[free] = span.0;
        (*from, free)
    };
    let columns = spans.iter().rev().map(&mut column).collect();
    if taken.len() > MOST { BTreeMap::new() } else { columns }
}

/// Draws the boxes and what joins neighbours; gives the row of each one's upper border.
fn boxes(canvas: &mut Canvas, frames: &[Frame], inner: usize) -> Vec<usize> {
    let middle = inner / 2;
    let line = "─".repeat(inner + 2);
    let mut tops = Vec::new();
    let mut row = 0;
    for frame in frames {
        if let Some(said) = frame.joined.as_ref() {
            canvas.set(row - 1, middle, '┬');
            canvas.text(row, middle, &format!("│ {said}"));
        }
        row += usize::from(!tops.is_empty());
        tops.push(row);
        canvas.text(row, 0, &format!("┌{line}┐"));
        if frame.joined.is_some() {
            canvas.set(row, middle, '▼');
        }
        for text in &frame.text {
            row += 1;
            canvas.text(row, 0, &format!("│ {text}"));
            canvas.set(row, inner + 3, '│');
        }
        row += 1;
        canvas.text(row, 0, &format!("└{line}┘"));
        row += 1;
    }
    tops
}

/// A rail in a column, from a row at the border of one box to rows at those of others.
fn draw_rail(canvas: &mut Canvas, border: usize, column: usize, start: usize, ends: BTreeSet<usize>) {
    canvas.set(start, border, '├');
    ends.iter().for_each(|end| canvas.set(*end, border, '◄'));
    let mut rows = ends;
    rows.insert(start);
    for row in &rows {
        (border + 1..column).for_each(|at| canvas.cross(*row, at, '─'));
    }
    let (upper, lower) = (rows.first().copied().unwrap_or(start), rows.last().copied().unwrap_or(start));
    for row in upper..=lower {
        let letter = match row {
            _ if row == upper => '┐',
            _ if row == lower => '┘',
            _ if rows.contains(&row) => '┤',
            _ => '│',
        };
        canvas.cross(row, column, letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(joined: &[Option<&str>], arrows: &[(usize, usize)]) -> String {
        let frame = |(at, joined): (usize, &Option<&str>)| Frame {
            text: vec![format!("box {at}"), String::new()],
            joined: joined.map(str::to_owned),
        };
        let frames = joined.iter().enumerate().map(frame).collect();
        let mut bytes = Vec::new();
        draw(frames, 8, &arrows.iter().copied().collect()).write(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn neighbours_are_joined_in_the_middle_and_others_by_rails_that_cross() {
        let picture = drawn(&[None, Some("by"), None, None], &[(0, 1), (0, 2), (1, 3)]);
        insta::assert_snapshot!(picture, @r"
        ┌──────────┐
        │ box 0    │
        │          ├─────┐
        └───┬──────┘     │
            │ by         │
        ┌───▼──────┐     │
        │ box 1    │     │
        │          ├──┐  │
        └──────────┘  │  │
                      │  │
        ┌──────────┐  │  │
        │ box 2    ◄──┼──┘
        │          │  │
        └──────────┘  │
                      │
        ┌──────────┐  │
        │ box 3    ◄──┘
        │          │
        └──────────┘
        ");
    }

    #[test]
    fn each_branch_of_a_rail_joins_it_also_where_lines_cross() {
        let picture = drawn(&[None; 6], &[(0, 2), (0, 3), (0, 5), (1, 4)]);
        assert_eq!(picture.matches('┤').count(), 2, "{picture}");
        assert_eq!(picture.matches('┼').count(), 2, "{picture}");
        assert_eq!(picture.matches('┘').count(), 6 + 2, "{picture}");
    }

    #[test]
    fn rails_too_many_to_be_followed_are_left_out() {
        let rails = |count: usize| -> BTreeSet<(usize, usize)> { (0..count).map(|at| (at, at + count + 1)).collect() };
        assert_eq!(Canvas::room(&rails(MOST)), MOST * RAIL + 1);
        let many = rails(MOST + 1);
        assert_eq!(Canvas::room(&many), 0);
        let frame = Frame { text: vec!["box".to_owned()], joined: None };
        let mut bytes = Vec::new();
        draw(vec![frame; 2 * MOST + 4], 8, &many).write(&mut bytes).unwrap();
        assert!(String::from_utf8(bytes).unwrap().lines().all(|line| line.chars().count() <= 12));
    }

    #[test]
    fn a_rail_that_several_boxes_need_branches() {
        insta::assert_snapshot!(drawn(&[None; 5], &[(0, 2), (0, 3), (0, 4)]), @r"
        ┌──────────┐
        │ box 0    │
        │          ├──┐
        └──────────┘  │
                      │
        ┌──────────┐  │
        │ box 1    │  │
        │          │  │
        └──────────┘  │
                      │
        ┌──────────┐  │
        │ box 2    ◄──┤
        │          │  │
        └──────────┘  │
                      │
        ┌──────────┐  │
        │ box 3    ◄──┤
        │          │  │
        └──────────┘  │
                      │
        ┌──────────┐  │
        │ box 4    ◄──┘
        │          │
        └──────────┘
        ");
    }

    #[test]
    fn a_branch_that_is_crossed_stays_crossed() {
        insta::assert_snapshot!(drawn(&[None; 5], &[(0, 3), (1, 3), (1, 4)]), @r"
        ┌──────────┐
        │ box 0    │
        │          ├─────┐
        └──────────┘     │
                         │
        ┌──────────┐     │
        │ box 1    │     │
        │          ├──┐  │
        └──────────┘  │  │
                      │  │
        ┌──────────┐  │  │
        │ box 2    │  │  │
        │          │  │  │
        └──────────┘  │  │
                      │  │
        ┌──────────┐  │  │
        │ box 3    ◄──┼──┘
        │          ◄──┤
        │          │  │
        └──────────┘  │
                      │
        ┌──────────┐  │
        │ box 4    ◄──┘
        │          │
        └──────────┘
        ");
    }
}
