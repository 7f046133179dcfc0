//! Any text: it is a query or an error with a place; a query that is shown reads as one that is shown alike.
#![no_main]

use layerbuild_fuzz::label::PackagePath;
use layerbuild_fuzz::query::{files, parse, resolve};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse::parse(text) {
        Ok(expr) => {
            let shown = expr.to_string();
            let again = parse::parse(&shown).expect("what is shown of a query is a query");
            assert_eq!(again.to_string(), shown);
            let _ = files::matter(&expr, true);
            for word in expr.patterns() {
                let _ = resolve::wanted(word, &PackagePath::default());
            }
        }
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some(), "a place within the text");
            let _ = error.render(text, false);
        }
    }
});
