//! Which rules there are: the workspace's own first, then those that are built in.

use super::super::schema::RuleSchema;
use super::model::{Rule, Rules};

/// All rules that a file may use.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Those that are built in.
    pub schemas: &'a [&'static RuleSchema],
    /// The workspace's own, which win where both have one name.
    pub rules: &'a Rules,
}

/// A rule of either kind.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// Built in.
    BuiltIn(&'static RuleSchema),
    /// The workspace's own.
    Own(&'a Rule),
}

impl<'a> Known<'a> {
    /// The rule of a name; `None` for an unknown one.
    pub fn rule(self, name: &str) -> Option<Which<'a>> {
        let own = self.rules.by_name.get(name).map(Which::Own);
        own.or_else(|| self.schemas.iter().find(|schema| schema.name == name).map(|schema| Which::BuiltIn(schema)))
    }

    /// The names of all rules, those of the workspace behind the others.
    pub fn names(self) -> Vec<&'a str> {
        let own = self.rules.by_name.keys().map(|name| &**name);
        let built_in = self.schemas.iter().map(|schema| schema.name);
        built_in.filter(|name| !self.rules.by_name.contains_key(*name)).chain(own).collect()
    }
}

impl<'a> Which<'a> {
    /// Its name.
    pub fn name(self) -> &'a str {
        match self {
            Which::BuiltIn(schema) => schema.name,
            Which::Own(rule) => &rule.name,
        }
    }

    /// What it is for.
    pub fn doc(self) -> &'a str {
        match self {
            Which::BuiltIn(schema) => schema.doc,
            Which::Own(rule) => &rule.doc,
        }
    }

    /// Its attributes' names.
    pub fn attributes(self) -> Vec<&'a str> {
        match self {
            Which::BuiltIn(schema) => schema.attributes.iter().map(|attribute| attribute.name).collect(),
            Which::Own(rule) => rule.attributes.iter().map(|attribute| attribute.name.as_str()).collect(),
        }
    }
}
