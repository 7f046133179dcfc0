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

#[cfg(test)]
mod tests {
    use super::super::super::print;
    use super::super::super::testing::{ROOT, Tree, expect};

    /// The targets that `[kit.a]` with these attributes stands for, as TOML.
    fn made(rule: &str, call: &str) -> Vec<String> {
        let package = format!("[kit.a]\n{call}\n");
        let tree = Tree::new(&[ROOT, ("rules/kit.toml", rule), ("p/layers.toml", &package)]);
        let (workspace, problems) = tree.load(&["//..."]);
        assert_eq!(problems, [""; 0]);
        workspace.packages[1].targets.iter().map(print::target).collect()
    }

    const ATTRIBUTES: &str = "[rule.kit.attributes]\ntext = {}\nlist = { type = \"list\" }\nmap = { type = \"map\" }\n\
                              flag = { type = \"boolean\" }\n";

    #[test]
    fn what_is_not_set_is_left_out_with_its_key_or_item() {
        let rule = format!(
            "{ATTRIBUTES}[rule.kit.target.files]\ndest = \"/${{attr.name}}\"\nformat = \"${{attr.text}}\"\n\
             srcs = [\"a\", \"b/${{attr.text}}\", \"${{attr.list...}}\"]\nstrict = \"${{attr.flag}}\"\n\
             mode = {{ \"*\" = \"0644\", \"${{attr.text}}\" = \"0755\", \"...\" = \"${{attr.map}}\" }}\n"
        );
        assert_eq!(made(&rule, ""), ["[files.a]\ndest = \"/a\"\nsrcs = [\"a\"]\nmode = { \"*\" = \"0644\" }\n"]);
        let call = "text = \"gzip\"\nlist = [\"c\"]\nflag = false\nmap = { \"*\" = \"0600\", z = \"0000\" }";
        assert_eq!(
            made(&rule, call),
            ["[files.a]\ndest = \"/a\"\nformat = \"gzip\"\nsrcs = [\"a\", \"b/gzip\", \"c\"]\nstrict = false\n\
              mode = { \"*\" = \"0600\", gzip = \"0755\", z = \"0000\" }\n"]
        );
    }

    #[test]
    fn a_part_that_is_not_made_is_not_mentioned() {
        let rule = format!(
            "{ATTRIBUTES}[rule.kit.target.image]\nlayers = [\"${{part.on}}\", \"${{part.is}}\"]\n\
             [rule.kit.parts.files.on]\nwhen = \"${{attr.flag}}\"\ndest = \"/on\"\n\
             [rule.kit.parts.files.is]\nwhen = {{ text = [\"x\", \"y\"], flag = true }}\ndest = \"/is\"\n\
             mode = \"${{attr.map}}\"\nsrcs = \"${{attr.list}}\"\n"
        );
        let count = |call| made(&rule, call).len();
        assert_eq!(made(&rule, "flag = false"), ["[image.a]\nlayers = []\n"]);
        assert_eq!([count(""), count("flag = true"), count("flag = true\ntext = \"y\"")], [1, 2, 3]);
        assert_eq!([count("text = \"y\""), count("flag = true\ntext = \"z\"")], [1, 2]);
    }

    #[test]
    fn what_a_call_says_is_never_read_as_a_placeholder() {
        let rule = format!(
            "{ATTRIBUTES}[rule.kit.target.files]\ndest = \"/${{attr.text}}$${{attr.text}}\"\n\
             mode = \"${{attr.map}}\"\nsrcs = \"${{attr.list}}\"\nstrict = \"${{attr.flag}}\"\n"
        );
        let call = "text = '${attr.flag}\"\\, dest = 1 #'";
        assert_eq!(made(&rule, call), ["[files.a]\ndest = \"/${attr.flag}\\\"\\\\, dest = 1 #${attr.text}\"\n"]);
    }

    #[test]
    fn a_mistake_that_only_a_call_can_show_names_caller_and_rules() {
        let kit =
            "[rule.kit.attributes]\nformat = {}\n[rule.kit.target.files]\ndest = \"/\"\nformat = \"${attr.format}\"\n";
        let pack = "[rule.pack.attributes]\nformat = { required = true }\n[rule.pack.target.image]\n\
                    layers = [\"${part.kit}\"]\n[rule.pack.parts.kit.kit]\nformat = \"${attr.format}\"\n";
        let package = "[kit.a]\nformat = \"gizp\"\n[pack.b]\nformat = \"zsdt\"\n[pack.c]\n";
        let files = [ROOT, ("rules/kit.toml", kit), ("rules/pack.toml", pack), ("p/layers.toml", package)];
        expect(
            &Tree::new(&files).load(&["//..."]).1,
            &[
                &["can't be `gizp`", "p/layers.toml:2:10", "rules/kit.toml:3:18", "what the rule `kit` makes of it"],
                &["can't be `zsdt`", "p/layers.toml:4:10", "rules/kit.toml:3:18"],
                &["`format` is missing", "p/layers.toml:5:7", "rules/pack.toml:2:1", "of the rule `pack`"],
            ],
        );
    }
}
