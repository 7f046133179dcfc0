//! A layers.toml's text → the same, laid out as all of them are: the style that `layerbuild fmt` gives.
//!
//! `read` makes lines of the parser's events, `layout` writes them. What the file means, its comments and the order of
//! its keys stay as they are: held against the result before it is given. Knows neither files nor what a key means.

mod layout;
mod lines;
#[cfg(test)]
mod random_tests;
mod read;

use lines::Line;

/// Columns that a line may have, where an array can be broken to keep within them.
pub const WIDTH: usize = 120;

const BOM: &str = "\u{feff}";

/// The text in our style; `None` where it is not TOML, or where the result would say something else, which is a bug.
///
/// All line ends outside of texts become what the last one is, and a byte order mark stays.
pub fn format(text: &str) -> Option<String> {
    let (bom, body) = text.strip_prefix(BOM).map_or(("", text), |body| (BOM, body));
    let lines = read::read(body)?;
    // The last one stays whatever is laid out otherwise, so that another run decides alike.
    let last = body.rfind('\n').map_or("", |at| &body[..at]);
    let newline = if last.ends_with('\r') { "\r\n" } else { "\n" };
    let formatted = layout::write(&lines, newline);
    is_same(body, &lines, &formatted).then(|| format!("{bom}{formatted}"))
}

/// Whether both texts have the same values and comments.
fn is_same(before: &str, lines: &[Line], after: &str) -> bool {
    let values = |text: &str| toml::from_str::<toml::Table>(text).ok();
    // Shown as text, since a number that is none is not even equal to itself.
    let same = |(before, after): (toml::Table, toml::Table)| format!("{before:?}") == format!("{after:?}");
    let comments = |lines: &[Line]| lines::comments(lines).into_iter().map(str::to_owned).collect::<Vec<_>>();
    values(before).zip(values(after)).is_some_and(same)
        && read::read(after).is_some_and(|again| comments(&again) == comments(lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> String {
        let once = format(text).unwrap_or_else(|| panic!("not formatted:\n{text}"));
        assert_eq!(format(&once).as_deref(), Some(&*once), "not stable");
        once
    }

    #[test]
    fn keys_are_aligned_and_blanks_are_ours() {
        let text = "\n\n  [ files . a ]  \nsrcs=[ 'x' ,\"y\",]\n   dest   =  \"/opt\"   \n\n\n\n\nb . \"c d\" = {x=1,y = [ ]}\n[[b]]\n";
        assert_eq!(
            formatted(text),
            "[files.a]\nsrcs = ['x', \"y\"]\ndest = \"/opt\"\n\nb.\"c d\" = { x = 1, y = [] }\n\n[[b]]\n"
        );
        assert_eq!(formatted(" \n\n"), "");
    }

    #[test]
    fn a_comment_before_a_table_stays_with_it_and_blocks_stay_apart() {
        let text = "# the file\n\n# of a\n[a]\nx = 1\n# of b\n[b]\n# of y\ny = 2\n# the end";
        assert_eq!(formatted(text), "# the file\n\n# of a\n[a]\nx = 1\n\n# of b\n[b]\n# of y\ny = 2\n# the end\n");
    }

    #[test]
    fn comments_behind_values_share_a_column_and_keep_one_that_they_share() {
        assert_eq!(
            formatted("[a]   # one\nxx = 1 # two\ny = 22   # three\n"),
            "[a]      # one\nxx = 1   # two\ny  = 22  # three\n"
        );
        let shared = "[a]           # one\nxx = 1        # two\ny  = \"long enough to pass it\"\n";
        assert_eq!(formatted(shared), shared);
    }

    #[test]
    fn long_arrays_are_broken_and_stay_so_as_long_as_a_comma_ends_them() {
        let long = format!("packages = [\"{}\", \"{}\"]\n", "a".repeat(60), "b".repeat(60));
        let broken = format!("packages = [\n    \"{}\",\n    \"{}\",\n]\n", "a".repeat(60), "b".repeat(60));
        assert_eq!(formatted(&long), broken);
        assert_eq!(formatted("x = [\n1,\n2,\n]\n"), "x = [\n    1,\n    2,\n]\n");
        assert_eq!(formatted("x = [\n1,\n2\n]\n"), "x = [1, 2]\n");
        assert_eq!(
            formatted("x = [ # first\n1, # one\n\n# two\n22 ]\n"),
            "x = [\n    # first\n    1,  # one\n\n    # two\n    22,\n]\n"
        );
    }

    #[test]
    fn inline_tables_stay_on_one_line_or_have_one_for_each_key() {
        let long = format!("t = {{ a = \"{}\", b = [\"{}\"] }}\n", "a".repeat(80), "b".repeat(80));
        assert_eq!(formatted(&long), long);
        assert_eq!(formatted("t = { a = 1,\n bb = 2 # b\n}\n"), "t = {\n    a  = 1,\n    bb = 2,  # b\n}\n");
        assert_eq!(formatted("a={\n b=1 }\nc={\n}\nd={e=1,}\n"), "a = {\n    b = 1,\n}\nc = {}\nd = { e = 1 }\n");
        assert_eq!(
            formatted("t={u={v=1\n},w=2}\n"),
            "t = {\n    u = {\n        v = 1,\n    },\n    w = 2,\n}\n",
            "one in it makes it so"
        );
        assert_eq!(formatted("t = { a = [ # why\n1] }\n"), "t = { a = [\n    # why\n    1,\n] }\n");
    }

    #[test]
    fn texts_of_several_lines_stay_as_they_are_and_align_nothing() {
        let text = "doc = \"x\"\nexample = '''\n  a=1\n'''\nlonger-key   = 1\nk =2\n";
        assert_eq!(formatted(text), "doc = \"x\"\nexample = '''\n  a=1\n'''\nlonger-key = 1\nk          = 2\n");
    }

    #[test]
    fn line_ends_and_the_byte_order_mark_stay() {
        assert_eq!(formatted("\u{feff}a=1\nb = \"\"\"x\ny\"\"\"\r\n"), "\u{feff}a = 1\r\nb = \"\"\"x\ny\"\"\"\r\n");
        assert_eq!(formatted("\na = \"\"\"\r\nx\"\"\"\r\nb=1\r\n"), "a = \"\"\"\r\nx\"\"\"\r\nb = 1\r\n");
        assert_eq!(formatted("a=1\r\n\r\nb=1\n"), "a = 1\n\nb = 1\n");
    }

    #[test]
    fn what_is_not_toml_is_not_formatted() {
        assert_eq!(format("a = \n"), None);
        assert_eq!(format("a = 1\na = 2\n"), None);
    }
}
