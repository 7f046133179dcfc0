//! `max-size`, `max-unpacked-size`: budgets.

use super::{Finding, LayerSize, Subject};
use crate::action::Expected;

/// What is too large.
pub fn check<C>(expected: &Expected, subject: &Subject<'_, C>) -> Vec<Finding> {
    let packed = over("max-size", expected.max_size, subject.sizes, |layer| layer.compressed);
    let unpacked = over("max-unpacked-size", expected.max_unpacked_size, subject.sizes, |layer| layer.unpacked);
    packed.into_iter().chain(unpacked).collect()
}

/// Names the largest layer: it is the one to look at first.
fn over(
    attribute: &'static str,
    most: Option<u64>,
    layers: &[LayerSize],
    size: impl Fn(&LayerSize) -> u64,
) -> Option<Finding> {
    let total: u64 = layers.iter().map(&size).sum();
    let most = most.filter(|most| total > *most)?;
    let largest = layers.iter().max_by_key(|layer| size(layer))?;
    let found = format!("{}, of which {} in the largest layer", shown(total), shown(size(largest)));
    Some(Finding::new(attribute, "", format!("at most {}", shown(most)), found).from(&largest.label))
}

/// Bytes for people, exact enough to be compared: `52.1 MB (52123456 bytes)`.
fn shown(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = bytes / (unit / 10);
            format!("{}.{} {name} ({bytes} bytes)", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Image;
    use super::*;

    #[test]
    fn what_is_over_its_budget_is_told_with_the_largest_layer() {
        let image = Image::default()
            .layer("//:small", |layer| _ = layer.text("/a", 0o644, &"x".repeat(100)))
            .layer("//:large", |layer| _ = layer.text("/b", 0o644, &"x".repeat(1900)));
        let asked = |max_size, max_unpacked_size| Expected { max_size, max_unpacked_size, ..Expected::default() };
        assert_eq!(image.judged(asked(Some(1000), Some(2000))), [""; 0]);
        assert_eq!(
            image.judged(asked(Some(999), Some(1999))),
            [
                "max-size: expected at most 999 bytes, found 1.0 kB (1000 bytes), of which 950 bytes in the largest layer \
                 (from //:large)",
                "max-unpacked-size: expected at most 1.9 kB (1999 bytes), found 2.0 kB (2000 bytes), of which 1.9 kB \
                 (1900 bytes) in the largest layer (from //:large)",
            ]
        );
    }
}
