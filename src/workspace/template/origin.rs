//! Which rule made a target that no file holds as it is.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Place};
use crate::span::Span;

/// The rule that made a target, and the places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The rule's name.
    pub rule: Arc<str>,
    /// Where the rule is defined: its name.
    pub declared: Span,
    /// Where its template of this target stands.
    pub template: Span,
    /// Of a call that stands in a template itself: what made that call.
    pub outer: Option<Arc<Origin>>,
}

impl Origin {
    /// What made the target, innermost first: the rule whose template it is, then the one that calls this rule, …
    pub fn chain(&self) -> impl Iterator<Item = &Origin> {
        std::iter::successors(Some(self), |origin| origin.outer.as_deref())
    }

    /// A mistake in a target of this origin, with the caller's place first and the rule's line second. `call`: the name
    /// in the call.
    pub fn traced(&self, mut diagnostic: Diagnostic, call: Span) -> Diagnostic {
        let made = Place { span: call, label: format!("made by the rule `{}`", self.rule) };
        match diagnostic.primary.take() {
            Some(place) if place.span.file == call.file => {
                diagnostic.primary = Some(place);
                diagnostic.also(self.template, format!("what the rule `{}` makes of it", self.rule))
            }
            Some(place) if self.chain().any(|origin| origin.template.file == place.span.file) => {
                diagnostic.primary = Some(made);
                diagnostic.others.insert(0, place);
                diagnostic
            }
            Some(place) => {
                diagnostic.primary = Some(place);
                diagnostic.also(made.span, made.label)
            }
            None => Diagnostic { primary: Some(made), ..diagnostic },
        }
    }
}
