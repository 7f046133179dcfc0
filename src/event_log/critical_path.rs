//! The chain of actions that took longest, as the closing line has it, with how long each waited.

use super::{Log, Step};

/// An action of the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<'l> {
    /// What ran; `None` where the log lacks it.
    pub step: Option<&'l Step>,
    /// The target.
    pub label: &'l str,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Between the end of the one before, or the command's beginning, and its own beginning: for a free worker, or for
    /// what was looked up in between.
    pub waited: f64,
}

/// The chain, first to last; empty where nothing ran.
pub fn parts(log: &Log) -> Vec<Part<'_>> {
    let links = log.done.iter().flat_map(|done| &done.critical_path);
    let mut end = 0.0;
    let part = |link: &'_ super::Link| {
        // A target may stand for several actions: the one that took just as long is meant.
        let same = |step: &&Step| step.label == link.label && (step.seconds - link.seconds).abs() < 1e-6;
        let step = log.ran().find(same);
        let waited = step.map_or(0.0, |step| (step.start - end).max(0.0));
        end = step.map_or(end, |step| step.start + step.seconds);
        (step, waited)
    };
    let found: Vec<_> = links.clone().map(part).collect();
    links
        .zip(found)
        .map(|(link, (step, waited))| Part { step, label: &link.label, seconds: link.seconds, waited })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::SAMPLE;
    use super::*;

    #[test]
    fn each_part_says_how_long_it_took_and_waited() {
        let log = Log::parse(SAMPLE).unwrap();
        let told: Vec<String> = parts(&log)
            .iter()
            .map(|part| {
                format!(
                    "{} {} {:.1} {:.1}",
                    part.label,
                    part.step.map_or("?", |step| &step.what),
                    part.seconds,
                    part.waited
                )
            })
            .collect();
        assert_eq!(told, ["//a:y tar 2.0 0.1", "//a:i image 0.5 0.5"]);
    }
}
