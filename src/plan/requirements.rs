//! What images require and set, held together along `base`: each contradiction told once, at the image that brings it,
//! with both places.
//!
//! Of a base that is pulled or taken as published nothing is known here: its label is read when the image is made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use crate::diagnostic::Diagnostic;
use crate::graph::{TargetGraph, TargetId};
use crate::label::Label;
use crate::oci::image_requires::{Disagreement, Flaw, Part, Requirement};
use crate::rules::image;
use crate::rules::requires::{Said, said};
use crate::span::{Sources, Span};
use crate::workspace::{MapEntry, Target};

/// What is wrong with the images among the targets, each of which comes behind what it needs.
pub fn contradictions(graph: &TargetGraph<'_>, targets: &[TargetId]) -> Vec<Diagnostic> {
    let mut known: HashMap<TargetId, Rc<Variables<'_>>> = HashMap::new();
    let mut found = Vec::new();
    for id in targets {
        let target = graph.target(*id);
        if target.rule.name != image::RULE.schema.name || !target.is_built() || !target.valid {
            continue;
        }
        let base = target.attributes().label("base").and_then(|base| known.get(&graph.id(&base.value)?));
        let base = base.cloned().unwrap_or_default();
        known.insert(*id, lay(base, target, &graph.workspace().sources, &mut found));
    }
    found
}

/// By name, those that are only set too: an image above may require them.
type Variables<'g> = BTreeMap<&'g str, Variable<'g>>;

/// What an image and all that it stands on say of a variable.
#[derive(Debug, Clone, Default)]
struct Variable<'g> {
    requirement: Requirement,
    /// As `env` sets it; `None` where only building tells, or nothing does.
    env: Option<&'g str>,
    /// Where each part is said.
    places: BTreeMap<Part, Place<'g>>,
}

/// Where an image says something.
#[derive(Debug, Clone, Copy)]
struct Place<'g> {
    by: &'g Label,
    span: Span,
}

/// An image's own words over what it stands on.
fn lay<'g>(
    base: Rc<Variables<'g>>,
    target: &'g Target,
    sources: &Sources,
    found: &mut Vec<Diagnostic>,
) -> Rc<Variables<'g>> {
    let (attributes, by) = (target.attributes(), &target.label);
    if !attributes.has("requires") && !attributes.has("env") {
        return base;
    }
    let mut variables = Variables::clone(&base);
    let mut touched = BTreeSet::new();
    for said in said(attributes) {
        touched.insert(said.name.value);
        found.extend(variables.entry(said.name.value).or_default().require(&said, by, sources));
    }
    for entry in attributes.map("env") {
        touched.insert(entry.key.value);
        variables.entry(entry.key.value).or_default().set(&entry, by);
    }
    found.extend(touched.into_iter().flat_map(|name| variables[name].flaws(name, by, sources)));
    Rc::new(variables)
}

impl<'g> Variable<'g> {
    fn require(&mut self, said: &Said<'g>, by: &'g Label, sources: &Sources) -> Vec<Diagnostic> {
        let (merged, disagreements) = self.requirement.under(&said.requirement);
        let told = disagreements.iter().filter_map(|it| self.disagreement(it, said, &merged, sources)).collect();
        self.requirement = merged;
        for part in [Part::Default, Part::Secret, Part::Pattern, Part::Example] {
            let Some(place) = said.span(part).map(|span| Place { by, span }) else { continue };
            if part == Part::Example || !self.places.contains_key(&part) {
                self.places.insert(part, place);
            }
        }
        told
    }

    /// Of a secret with a default, no line is shown; that it has one at all, `flaws` tells.
    fn disagreement(
        &self,
        disagreement: &Disagreement,
        said: &Said<'_>,
        merged: &Requirement,
        sources: &Sources,
    ) -> Option<Diagnostic> {
        let Disagreement { part, below, above } = disagreement;
        let (name, span, lower) = (said.name.value, said.span(*part)?, self.places.get(part)?);
        let message = format!("two images require `{name}` with another `{part}`");
        let error = match (merged.is_secret() && merged.default.is_some(), part) {
            (true, Part::Default) => return None,
            (true, _) => {
                let (place, lower_place) = (sources.place(span), sources.place(lower.span));
                Diagnostic::error(format!("{place}: {message}: it is `{above}`, but `{below}` at {lower_place}"))
            }
            (false, _) => Diagnostic::error(message)
                .at(span, format!("`{above}` here"))
                .also(lower.span, format!("`{below}` in {}, which it stands on", lower.by)),
        };
        Some(error.help(format!("take `{part}` away here, and that of the image below counts; or change it there")))
    }

    /// Dollars come from the base: only building tells what they give.
    fn set(&mut self, entry: &MapEntry<'g>, by: &'g Label) {
        self.env = entry.str().filter(|value| !value.contains('$'));
        self.places.insert(Part::Env, Place { by, span: entry.value.span });
    }

    /// What can't hold together and could before this image came.
    fn flaws(&self, name: &str, by: &Label, sources: &Sources) -> Vec<Diagnostic> {
        let told = |flaw: Flaw| {
            let (value, against) = (self.places.get(&flaw.value)?, self.places.get(&flaw.against)?);
            // The primary place is in the image that brings the contradiction.
            let (here, there) = if value.by == by { (value, against) } else { (against, value) };
            if flaw.against == Part::Secret {
                return (here.by == by).then(|| of_secret(flaw, name, [value, against], sources));
            }
            let whose = |place: &Place<'_>| if place.by == by { String::new() } else { format!("in {}", place.by) };
            let error = Diagnostic::error(flaw.sentence(name)).at(here.span, "").also(there.span, whose(there));
            (here.by == by).then_some(error)
        };
        self.requirement.flaws(self.env).into_iter().filter_map(told).collect()
    }
}

/// Nothing is underlined: the line would be shown, and so the secret.
fn of_secret(flaw: Flaw, name: &str, [value, secret]: [&Place<'_>; 2], sources: &Sources) -> Diagnostic {
    let elsewhere = (value.by != secret.by).then(|| format!("; it is a secret by {}", sources.place(secret.span)));
    let sentence = format!("{}: {}{}", sources.place(value.span), flaw.sentence(name), elsewhere.unwrap_or_default());
    Diagnostic::error(sentence).help(
        "take the value away: whoever has the image can read it; a secret is given to the container when it starts",
    )
}
