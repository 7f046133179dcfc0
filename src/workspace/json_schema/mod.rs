//! What may stand in the workspace's files, as JSON schemas (draft 7) for editors.
//!
//! All of it comes from what the loader itself checks with: settings, rules' schemas, the attributes of the workspace's
//! own rules. It takes all that the loader takes: where a schema can't say it (globs, contradictions), it is silent. Draft
//! 7 ignores what stands beside a `$ref`, descriptions too: so there are none.

mod names;
mod rules;
mod types;

use serde_json::{Map, Value, json};

use super::keys::LOCAL;
use super::overlays::LOCAL_FILE;
use super::root::FILE_NAME;
use super::tables;
use super::template::{FOLDER, Known, PARAMETER_KEYS, RULE_KEYS, TABLE};

/// Of every `layers.toml`, the root's among them.
pub fn layers(known: Known<'_>) -> Value {
    let mut properties: Map<String, Value> =
        tables::ROOT.iter().map(|table| (table.name.to_owned(), types::attribute(table))).collect();
    set_targets(&mut properties["profile"]["additionalProperties"], known);
    properties.insert(tables::PACKAGE.to_owned(), types::closed(Map::new(), &[]));
    let rules = known.names().into_iter().filter_map(|name| known.rule(name));
    properties.extend(rules.map(|rule| (rule.name().to_owned(), rules::targets(rule))));
    whole(FILE_NAME, types::closed(properties, &[]))
}

/// Of the developer's own file.
pub fn local(known: Known<'_>) -> Value {
    let mut file = types::table(LOCAL);
    set_targets(&mut file, known);
    whole(LOCAL_FILE, file)
}

/// Says what `targets` of a profile or the developer's own file takes.
fn set_targets(settings: &mut Value, known: Known<'_>) {
    let targets = &mut settings["properties"]["targets"];
    let doc = targets["description"].as_str().unwrap_or_default().to_owned();
    *targets = types::described(rules::overrides(known), &doc);
}

/// Of the files that define the workspace's own rules.
pub fn rules(known: Known<'_>) -> Value {
    let mut properties = types::properties(RULE_KEYS);
    let mut say = |key: &str, mut what: Value| {
        // The loader reads these by hand, so that its own schema says no more than that they are tables.
        let described = properties.get(key).and_then(|known| known.get("description")).cloned();
        what["description"] = described.unwrap_or_default();
        properties.insert(key.to_owned(), what);
    };
    say("attributes", types::map(types::table(PARAMETER_KEYS)));
    say("target", types::closed(rules::templates(known, |template| template), &[]));
    say("parts", types::closed(rules::templates(known, types::map), &[]));
    let rule = types::map(types::closed(properties, &[]));
    whole(&format!("{FOLDER}/*.toml"), types::closed(Map::from_iter([(TABLE.to_owned(), rule)]), &[]))
}

fn whole(title: &str, mut schema: Value) -> Value {
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!(title);
    schema
}

#[cfg(test)]
mod tests {
    use super::super::template::Rules;
    use super::super::testing::{SCHEMAS, Tree};
    use super::*;

    const RULE: &str = "[rule.kit]\ndoc = \"A kit.\"\nexample = \"[kit.a]\\nsize = 1\\n\"\n\
                        [rule.kit.attributes.size]\ntype = \"integer\"\nrequired = true\ndoc = \"How big.\"\n\
                        [rule.kit.attributes.kinds]\ntype = \"list\"\nof = \"enum\"\nvalues = [\"a\", \"b\"]\ndefault = [\"a\"]\n\
                        [rule.kit.attributes.tag]\npattern = \"[a-z]+\"\n\
                        [rule.kit.attributes.odd]\npattern = \"(?i)x\"\n\
                        [rule.kit.target.image]\n";

    fn built_in() -> Value {
        layers(Known { schemas: &SCHEMAS, rules: &Rules::default() })
    }

    fn own() -> Value {
        let tree = Tree::new(&[("layers.toml", "[workspace]\nname = \"w\"\n"), ("rules/kit.toml", RULE)]);
        let (workspace, problems) = tree.load(&["//..."]);
        // That nothing uses its attributes is no matter here.
        assert!(problems.iter().all(|problem| problem.starts_with("warning: ")), "{problems:?}");
        layers(Known { schemas: &SCHEMAS, rules: &workspace.rules })
    }

    /// The schema of one target of a rule.
    fn target<'a>(schema: &'a Value, rule: &str) -> &'a Value {
        &schema["properties"][rule]["additionalProperties"]
    }

    #[test]
    fn a_target_takes_its_rules_attributes_and_no_others() {
        let schema = built_in();
        let files = target(&schema, "files");
        assert_eq!((&files["required"], &files["additionalProperties"]), (&json!(["dest"]), &json!(false)));
        let property = |name: &str| files["properties"][name].clone();
        assert_eq!(property("dest"), json!({ "type": "string", "description": "where to" }));
        assert_eq!(property("srcs")["items"], json!({ "type": "string" }));
        assert_eq!(property("format")["anyOf"][0], json!({ "enum": ["gzip", "zstd"] }));
        assert_eq!(property("mode")["anyOf"][1]["additionalProperties"], json!({ "type": "string" }));
        assert_eq!(property("dirs")["additionalProperties"]["additionalProperties"], json!(false));
        assert!(target(&schema, "image")["properties"]["base"]["pattern"].is_string());
    }

    #[test]
    fn the_roots_tables_are_there_with_their_settings_and_an_unknown_one_is_refused() {
        let schema = built_in();
        assert_eq!(schema["additionalProperties"], json!(false));
        let properties = &schema["properties"];
        assert_eq!(properties["workspace"]["required"], json!(["name"]));
        assert_eq!(properties["profile"]["additionalProperties"]["properties"]["inherits"]["type"], json!("string"));
        assert_eq!(properties["vars"]["additionalProperties"], json!({ "type": "string" }));
        for table in tables::names() {
            assert!(properties[table].is_object(), "{table}");
        }
        // Attributes of a target by its label, which does not tell the rule: any rule's.
        let targets = &properties["profile"]["additionalProperties"]["properties"]["targets"];
        let set = &targets["additionalProperties"];
        assert_eq!((&set["additionalProperties"], &set["required"]), (&json!(false), &Value::Null));
        assert!(set["properties"]["base"]["pattern"].is_string() && targets["description"].is_string());
    }

    #[test]
    fn a_rule_of_the_workspaces_own_is_described_as_the_others_are() {
        let schema = own();
        let description = schema["properties"]["kit"]["description"].as_str().unwrap();
        assert!(description.contains("A kit.") && description.contains("[kit.a]\nsize = 1"), "{description}");
        let kit = target(&schema, "kit");
        assert_eq!(kit["required"], json!(["size"]));
        assert_eq!(kit["properties"]["size"], json!({ "type": "integer", "description": "How big." }));
        let kinds = &kit["properties"]["kinds"];
        assert_eq!(kinds["items"]["anyOf"][0], json!({ "enum": ["a", "b"] }));
        assert_eq!(kinds["description"], json!("Default: `[\"a\"]`."));
        assert_eq!(kit["properties"]["tag"]["anyOf"][0]["pattern"], json!("^(?:[a-z]+)$"));
        // What other programs' expressions don't know is left to the loader.
        assert!(kit["properties"]["odd"]["description"].as_str().unwrap().contains("`(?i)x`"));
        assert_eq!(kit["properties"]["odd"]["anyOf"], Value::Null);
    }

    #[test]
    fn files_of_rules_know_what_an_attribute_and_a_template_may_say() {
        let known = Known { schemas: &SCHEMAS, rules: &Rules::default() };
        let schema = rules(known);
        let rule = &schema["properties"]["rule"]["additionalProperties"]["properties"];
        let attribute = &rule["attributes"]["additionalProperties"];
        assert!(attribute["properties"]["pattern"].is_object() && attribute["additionalProperties"] == json!(false));
        assert_eq!(rule["target"]["properties"]["files"]["properties"]["dest"]["description"], json!("where to"));
        let part = &rule["parts"]["properties"]["image"]["additionalProperties"];
        assert!(part["properties"]["when"].is_object() && part["properties"]["..."].is_object());
        assert_eq!((&part["additionalProperties"], &part["required"]), (&json!(false), &Value::Null));
        assert_eq!(local(known)["additionalProperties"], json!(false));
    }
}
