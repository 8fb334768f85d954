//! The JSON Schema of the files, made from the table of keys.

use serde_json::{Map, Value, json};

use super::keys::{FILE, Shape, TableKeys};

/// The schema (draft 7, which the TOML language servers taplo and tombi understand) of every file of the workdir.
///
/// It knows names and shapes. What depends on other places (is the account defined, is the zone one) is for `check`.
pub fn schema() -> Value {
    let mut schema = table(&FILE);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("tgsignd configuration");
    schema["description"] = json!("tgsignd.toml and every other .toml file of the workdir.");
    schema
}

fn table(keys: &TableKeys) -> Value {
    let properties: Map<_, _> = keys
        .keys
        .iter()
        .map(|key| {
            let mut value = shape(&key.shape);
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

fn shape(shape_of: &Shape) -> Value {
    match shape_of {
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Integer { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Text { pattern: "", .. } => json!({ "type": "string", "minLength": 1 }),
        Shape::Text { pattern, .. } => json!({ "type": "string", "pattern": pattern }),
        Shape::Duration { .. } => {
            let units = ["w", "d", "h", "m", "s", "ms"].map(|unit| format!("([0-9]+{unit} *)?")).concat();
            json!({ "type": "string", "pattern": format!("^ *(?=[0-9]){units}$") })
        }
        Shape::Word(words) => json!({ "type": "string", "enum": words }),
        Shape::List(of) => json!({ "type": "array", "minItems": 1, "items": shape(of) }),
        Shape::Table(keys) => table(keys),
        Shape::Named(keys) => json!({ "type": "object", "additionalProperties": table(keys) }),
        Shape::Either { shapes, .. } => json!({ "anyOf": shapes.iter().map(shape).collect::<Vec<_>>() }),
    }
}
