//! A target of a workspace's own rule → the targets that it stands for.
//!
//! Rules may make targets of other such rules: these are expanded in turn, which ends because no sound rule needs
//! itself. Of a call that is wrong the targets are still made, so that their names are known, but not judged.

use std::sync::Arc;

use super::super::check::Open;
use super::super::schema::RuleSchema;
use super::super::value::{Node, Table, Value};
use super::arguments;
use super::known::{Known, Which};
use super::model::{Part, Rule};
use super::origin::Origin;
use super::substitute::{self, Source};
use crate::diagnostic::Diagnostic;
use crate::label::PackagePath;
use crate::span::Span;

/// One `[rule.name]` of a rule that is the workspace's own.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where the name stands.
    pub span: Span,
    /// What is written.
    pub table: &'a Table,
    /// The package that it stands in.
    pub package: &'a PackagePath,
}

/// A target that a call stands for.
#[derive(Debug)]
pub struct Made {
    /// Its rule.
    pub schema: &'static RuleSchema,
    /// Its name.
    pub name: String,
    /// Its attributes.
    pub table: Table,
    /// What made it.
    pub origin: Arc<Origin>,
    /// Whether all that it was made of is right; else what seems wrong with it is not told.
    pub sound: bool,
    /// What is wrong with the call: told with the first target of it.
    pub diagnostics: Vec<Diagnostic>,
}

/// The targets of a call, the one with its name first; none where one of the rules is itself wrong.
pub fn expand(rule: &Rule, call: Call<'_>, known: Known<'_>) -> Vec<Made> {
    let mut expander = Expander { known, call, made: Vec::new(), whole: true };
    expander.rule(rule, call.name, call.table, None);
    if expander.whole { expander.made } else { Vec::new() }
}

struct Expander<'a> {
    known: Known<'a>,
    call: Call<'a>,
    made: Vec<Made>,
    /// Whether every rule on the way is sound.
    whole: bool,
}

impl Expander<'_> {
    fn rule(&mut self, rule: &Rule, name: &str, table: &Table, outer: Option<&Arc<Origin>>) {
        if !rule.sound {
            self.whole = false;
            return;
        }
        let first = self.made.len();
        let open = Open::new();
        let read = arguments::read(table, rule, self.call.span, self.call.package, &open);
        let mut given = Given { call: self.call, name, rule, values: read.values, made: Vec::new() };
        given.made = rule.parts.iter().map(|part| given.is_made(part)).collect();
        let mut diagnostics = read.diagnostics;
        for (part, _) in rule.parts.iter().zip(&given.made).filter(|(_, made)| **made) {
            let (table, mistakes) = substitute::target(&part.template, &given);
            diagnostics.extend(mistakes);
            self.part(rule, part, part_name(name, part), table, outer);
        }
        self.tell(first, diagnostics, outer);
    }

    fn part(&mut self, rule: &Rule, part: &Part, name: String, table: Table, outer: Option<&Arc<Origin>>) {
        let origin = Arc::new(Origin {
            rule: rule.name.clone(),
            declared: rule.span,
            template: part.span,
            outer: outer.cloned(),
        });
        match self.known.rule(&part.rule) {
            Some(Which::Own(inner)) => self.rule(inner, &name, &table, Some(&origin)),
            Some(Which::BuiltIn(schema)) => {
                self.made.push(Made { schema, name, table, origin, sound: true, diagnostics: Vec::new() });
            }
            None => self.whole = false,
        }
    }

    /// Hands what is wrong with a call to its first target, and takes the rest of them for unsound.
    fn tell(&mut self, first: usize, diagnostics: Vec<Diagnostic>, outer: Option<&Arc<Origin>>) {
        if diagnostics.is_empty() {
            return;
        }
        let call = self.call.span;
        let traced = |it: Diagnostic| outer.iter().fold(it, |it, origin| origin.traced(it, call));
        let mut traced: Vec<Diagnostic> = diagnostics.into_iter().map(traced).collect();
        for made in &mut self.made[first..] {
            made.sound = false;
            made.diagnostics.append(&mut traced);
        }
    }
}

fn part_name(name: &str, part: &Part) -> String {
    if part.name.is_empty() { name.to_owned() } else { format!("{name}.{}", part.name) }
}

/// What a call gives to a rule's templates.
struct Given<'a> {
    call: Call<'a>,
    name: &'a str,
    rule: &'a Rule,
    values: Vec<Option<&'a Value>>,
    /// Which parts are made.
    made: Vec<bool>,
}

impl Given<'_> {
    fn is_made(&self, part: &Part) -> bool {
        substitute::holds(part.condition.as_ref(), self, part.span)
    }
}

impl Source for Given<'_> {
    fn attribute(&self, at: usize, _: Span) -> Option<Value> {
        self.values[at].cloned()
    }

    fn name(&self, _: Span) -> Value {
        Value { span: self.call.span, node: Node::String(self.name.to_owned()) }
    }

    fn part(&self, at: usize, here: Span) -> Option<Value> {
        let label = || format!(":{}", part_name(self.name, &self.rule.parts[at]));
        self.made[at].then(|| Value { span: here, node: Node::String(label()) })
    }
}
