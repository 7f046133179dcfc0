//! Texts at random: whatever people write, what comes out says the same and stays.
//!
//! All of TOML 1.1: keys of every kind, inline tables over several lines, arrays of tables, texts of every kind, line ends,
//! and a comment wherever one may stand.

use proptest::prelude::*;
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use super::{WIDTH, format};

/// Values that are not made of others, as people write them.
const SCALARS: [&str; 30] = [
    "1",
    "-0",
    "+1_000",
    "0xdead_BEEF",
    "0o755",
    "1.5e-3",
    "-inf",
    "nan",
    "true",
    "1979-05-27T07:32:00Z",
    "1979-05-27 07:32",
    "07:32:00.999",
    "07:32",
    "1979-05-27",
    "1979-05-27T00:32-07:00",
    "\"\"",
    "''",
    "\"# no comment\"",
    "'[x] = {'",
    "\"\\e[0m \\x41 \\u00e9 \\\\ \\\"\"",
    "\"ünï\tcode\"",
    "\"\"\"\"\"\"",
    "''''''",
    "\"\"\"\n  two\nlines\"\"\"",
    "'''\nraw # no\n\n\n  text\t \n'''",
    "\"\"\"a \\\n   b \\\n\n  c\"\"\"",
    "\"\"\"\"quoted\"\"\"\"\"",
    "'''it''s'''",
    "'''\\'''",
    "\"\"\"\n# [no]\n\"\"\"",
];

/// What may stand between values within brackets.
fn blank() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => Just(""),
        2 => Just(" "),
        1 => Just("\t  "),
        2 => Just("\n"),
        1 => Just(" # c\n"),
        1 => Just("#\n"),
        1 => Just("\n\n  # own, ]}\n\n\n"),
        1 => Just("\n # ünï\t # twice  \n # two\n"),
    ]
}

/// What may stand on one line between two parts.
fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just(""), 3 => Just(" "), 1 => Just(" \t ")]
}

/// What the others are made of: also lists of plain texts, which may be too long for a line.
fn leaf() -> BoxedStrategy<String> {
    prop_oneof![
        9 => prop::sample::select(SCALARS.to_vec()).prop_map(str::to_owned),
        2 => "[a-z]{30,70}".prop_map(|text| format!("\"{text}\"")),
        2 => prop::collection::vec("\"[a-z]{20,50}\"", 1..6).prop_map(|texts| format!("[{}]", texts.join(","))),
        1 => "[a-zé]{100,125}".prop_map(|text| format!("'{text}'")),
        1 => "[1-9][0-9]{0,17}",
    ]
    .boxed()
}

/// A key, unlike those of other numbers.
fn key(number: usize) -> BoxedStrategy<String> {
    let first = prop_oneof![
        4 => Just(format!("k{number}")),
        1 => "[a-z]{1,24}".prop_map(move |text| format!("k{number}-{text}_")),
        1 => Just(format!("\"k {number} é\"")),
        1 => Just(format!("'k.{number}'")),
        1 => Just(format!("{number}")),
    ];
    let rest = prop_oneof![4 => Just(""), 1 => Just(".b"), 1 => Just(" . 'c d'"), 1 => Just("\t.b.\"\"")];
    (first, rest).prop_map(|(first, rest)| first + rest).boxed()
}

fn list(items: BoxedStrategy<Vec<String>>, [open, close]: [&'static str; 2]) -> BoxedStrategy<String> {
    let text = (items, blank(), any::<bool>(), blank()).prop_map(move |(items, before, comma, after)| {
        let comma = if comma && !items.is_empty() { "," } else { "" };
        format!("{open}{before}{}{comma}{after}{close}", items.join(","))
    });
    text.boxed()
}

/// `of` each number below a random one.
fn several(most: usize, of: impl Fn(usize) -> BoxedStrategy<String> + 'static) -> BoxedStrategy<Vec<String>> {
    (0..most).prop_flat_map(move |count| (0..count).map(&of).collect::<Vec<_>>()).boxed()
}

fn value() -> BoxedStrategy<String> {
    let nested = leaf().prop_recursive(3, 24, 4, |inner| {
        let items = {
            let inner = inner.clone();
            several(5, move |_| {
                (blank(), inner.clone(), blank()).prop_map(|(a, value, b)| format!("{a}{value}{b}")).boxed()
            })
        };
        let pairs = several(4, move |number| {
            (blank(), key(number), space(), space(), inner.clone(), blank())
                .prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}={c}{value}{d}"))
                .boxed()
        });
        prop_oneof![list(items, ["[", "]"]), list(pairs, ["{", "}"])]
    });
    nested.boxed()
}

fn behind() -> impl Strategy<Value = &'static str> {
    prop_oneof![5 => Just(""), 2 => Just("# c"), 1 => Just(" \t#d \t"), 1 => Just("                     # far")]
}

fn line(number: usize) -> BoxedStrategy<String> {
    let header = (space(), key(number), space(), behind(), any::<bool>());
    prop_oneof![
        6 => (space(), key(number), space(), space(), value(), behind())
            .prop_map(|(a, key, b, c, value, comment)| format!("{a}{key}{b}={c}{value}{comment}\n")),
        2 => header.prop_map(|(a, key, b, comment, array)| {
            let [open, close] = if array { ["[[", "]]"] } else { ["[", "]"] };
            format!("{a}{open}{a}{key}{b}{close}{comment}\n")
        }),
        1 => behind().prop_map(|comment| format!("{comment}\n")),
        1 => Just("\n \n\t\n".to_owned()),
    ]
    .boxed()
}

/// A document, with the line ends of one system, of another, or of both.
fn document() -> impl Strategy<Value = String> {
    (several(9, line), 0..3u8, any::<[bool; 2]>()).prop_map(|(lines, ends, [bom, cut])| {
        let text = match (lines.concat(), ends) {
            (text, 1) => text.replace('\n', "\r\n"),
            (text, 2) => text.replacen('\n', "\r\n", 2),
            (text, _) => text,
        };
        let text = if cut { text.trim_end_matches(['\n', '\r']) } else { &text };
        format!("{}{text}", if bom { "\u{feff}" } else { "" })
    })
}

/// All that says something, in its order: not blanks, line ends and commas.
fn words(text: &str) -> Vec<&str> {
    let says = |kind: TokenKind| !matches!(kind, TokenKind::Whitespace | TokenKind::Newline | TokenKind::Comma);
    let tokens = Source::new(text).lex().into_vec().into_iter().filter(|token| says(token.kind()));
    tokens.map(|token| text[token.span().start()..token.span().end()].trim_end()).collect()
}

/// Whether a line is an array and nothing else, which could be broken.
fn is_whole_array(line: &str) -> bool {
    let value = line.split_once(" = ").map_or(line, |(_, value)| value).trim_start();
    let plain = value.strip_prefix('[').and_then(|rest| rest.trim_end_matches(',').strip_suffix(']'));
    plain.is_some_and(|items| !items.contains(['#', '\'', '{', '[', '=']))
}

fn holds(text: &str) -> Result<(), TestCaseError> {
    let parsed = |text: &str| toml::from_str::<toml::Table>(text).ok().map(|table| format!("{table:?}"));
    let Some(before) = parsed(text) else {
        prop_assert_eq!(format(text), None);
        return Ok(());
    };
    let Some(once) = format(text) else {
        return Err(TestCaseError::fail("it would come out as something else"));
    };
    prop_assert_eq!(format(&once), Some(once.clone()), "not stable");
    prop_assert_eq!(Some(before), parsed(&once));
    prop_assert_eq!(words(text), words(&once));
    for line in once.trim_start_matches('\u{feff}').lines().filter(|line| line.chars().count() > WIDTH) {
        prop_assert!(!is_whole_array(line), "{line}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_formatted_says_the_same_and_stays(text in document()) {
        holds(&text)?;
    }

    #[test]
    fn no_text_makes_it_panic(text in "([\\[\\]{}=.,\"'# \n\r\t\\\\]|a|b|é|0|files){0,40}") {
        holds(&text)?;
    }
}

/// If all documents were malformed, the properties would hold.
#[test]
fn most_texts_at_random_are_well_formed_and_many_change() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let made: Vec<String> = (0..200).map(|_| document().new_tree(&mut runner).unwrap().current()).collect();
    let formatted = made.iter().filter_map(|text| Some((text, format(text)?)));
    let changed = formatted.clone().filter(|(text, formatted)| *text != formatted).count();
    assert!(formatted.count() > 120 && changed > 80, "{changed} changed of 200");
}
