//! The JSON Schema of the files, made from the table of keys.

use serde_json::{Map, Value, json};

use super::keys::{FILE, NAME, Shape, TableKeys};

/// The schema (draft 7, which the TOML language servers taplo and tombi understand) of every file of the workdir.
///
/// It knows names and shapes. What depends on other places (is the account defined, is the zone one) is for `check`.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut schema = table(&FILE, &mut definitions);
    schema["definitions"] = Value::Object(definitions);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("tgsignd configuration");
    schema["description"] = json!("tgsignd.toml and every other .toml file of the workdir.");
    schema
}

/// A table in place, or where its definition is.
fn table(keys: &'static TableKeys, definitions: &mut Map<String, Value>) -> Value {
    let Some(name) = keys.definition else { return rules(keys, definitions) };
    if !definitions.contains_key(name) {
        // Its own entries point here.
        definitions.insert(name.to_owned(), Value::Null);
        let rules = rules(keys, definitions);
        definitions.insert(name.to_owned(), rules);
    }
    json!({ "$ref": format!("#/definitions/{name}") })
}

fn rules(keys: &'static TableKeys, definitions: &mut Map<String, Value>) -> Value {
    let properties: Map<_, _> = keys
        .keys
        .iter()
        .map(|key| {
            let mut value = shape(&key.shape, definitions);
            if let Value::Object(rules) = &mut value {
                rules.insert("description".into(), key.about.into());
            }
            (key.name.to_owned(), value)
        })
        .collect();
    let required: Vec<_> = keys.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut rules = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        rules["required"] = json!(required);
    }
    if !keys.exactly_one.is_empty() {
        rules["oneOf"] = keys.exactly_one.iter().map(|name| json!({ "required": [name] })).collect();
    }
    rules
}

fn shape(shape_of: &'static Shape, definitions: &mut Map<String, Value>) -> Value {
    match shape_of {
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Integer { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Text { pattern: "", .. } => json!({ "type": "string", "minLength": 1 }),
        Shape::Text { pattern, .. } => json!({ "type": "string", "pattern": pattern }),
        Shape::Duration { .. } => json!({ "type": "string", "pattern": "^ *([0-9]+(w|d|h|m|s|ms) *)+$" }),
        Shape::Word(words) => json!({ "type": "string", "enum": words }),
        Shape::List(of) => json!({ "type": "array", "minItems": 1, "items": shape(of, definitions) }),
        Shape::Table(keys) => table(keys, definitions),
        Shape::Named(keys) => json!({
            "type": "object",
            "propertyNames": { "pattern": NAME },
            "additionalProperties": table(keys, definitions),
        }),
        Shape::Either { shapes, .. } => {
            json!({ "anyOf": shapes.iter().map(|one| shape(one, definitions)).collect::<Vec<_>>() })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeSet;

    use super::*;

    /// The keys of a table and of all tables in it, by the title of their table.
    fn known(table: &TableKeys, found: &mut BTreeSet<(&'static str, &'static str)>) {
        for key in table.keys {
            if !found.insert((table.title, key.name)) {
                continue;
            }
            for inner in key.shape.tables() {
                known(inner, found);
            }
        }
    }

    fn used(table: &TableKeys, value: &toml::Table, found: &mut BTreeSet<(&'static str, &'static str)>) {
        for (name, value) in value {
            let key = table.key(name).unwrap();
            found.insert((table.title, key.name));
            used_in(&key.shape, value, found);
        }
    }

    fn used_in(shape: &Shape, value: &toml::Value, found: &mut BTreeSet<(&'static str, &'static str)>) {
        match (shape, value) {
            (Shape::Either { shapes, .. }, _) => {
                for shape in *shapes {
                    used_in(shape, value, found);
                }
            }
            (Shape::List(of), toml::Value::Array(entries)) => {
                for entry in entries {
                    used_in(of, entry, found);
                }
            }
            (Shape::Table(table), toml::Value::Table(value)) => used(table, value, found),
            (Shape::Named(table), toml::Value::Table(named)) => {
                for value in named.values() {
                    used(table, value.as_table().unwrap(), found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn the_case_with_every_key_has_every_key() {
        let text = include_str!("../../tests/cases/config/ok/every-key/tgsignd.toml");
        let (mut all, mut there) = (BTreeSet::new(), BTreeSet::new());
        known(&FILE, &mut all);
        used(&FILE, &text.parse().unwrap(), &mut there);
        // The three places of a secret exclude each other, and so do the two kinds of keys of a backup.
        let excluded =
            [("a secret's place", "env"), ("a secret's place", "credential"), ("[backup]", "encryption_key")];
        there.extend(excluded);
        assert_eq!(all, there);
    }
}
