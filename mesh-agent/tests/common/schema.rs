//! JSON Schema, as far as the description of the REST API uses it.

use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// The schemas of a description, and what of them has been seen in answers.
pub(crate) struct Schemas<'a> {
    document: &'a Value,
    /// Names of schemas, and of their properties as "Schema.property".
    pub(crate) seen: RefCell<BTreeSet<String>>,
}

impl<'a> Schemas<'a> {
    pub(crate) fn new(document: &'a Value) -> Self {
        Self { document, seen: RefCell::default() }
    }

    /// Checks a value against a schema; returns the first error.
    pub(crate) fn validate(&self, value: &Value, schema: &Value, path: &str) -> Result<(), String> {
        self.named(value, schema, path, "")
    }

    /// The same within the schema of this name.
    fn named(&self, value: &Value, schema: &Value, path: &str, name: &str) -> Result<(), String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.document.pointer(reference.trim_start_matches('#'));
            let target = target.ok_or_else(|| format!("{path}: no {reference}"))?;
            let name = reference.rsplit('/').next().unwrap();
            self.named(value, target, path, name)?;
            self.seen.borrow_mut().insert(name.into());
            return Ok(());
        }
        if let Some(variants) = schema["oneOf"].as_array() {
            let fits = |schema: &&Value| self.named(value, schema, path, name).is_ok();
            return match variants.iter().filter(fits).count() {
                1 => Ok(()),
                count => Err(format!("{path}: {count} variants fit {value}")),
            };
        }
        let is = |kind: &str| match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("{path}: unknown type {other}"),
        };
        let fits = match &schema["type"] {
            Value::String(kind) => is(kind),
            Value::Array(kinds) => kinds.iter().any(|kind| is(kind.as_str().unwrap())),
            other => panic!("{path}: type {other}"),
        };
        if !fits {
            return Err(format!("{path}: {value} is no {}", schema["type"]));
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            return Err(format!("{path}: {value} is none of {allowed:?}"));
        }
        if let (Some(object), Some(properties)) =
            (value.as_object(), schema["properties"].as_object())
        {
            for required in schema["required"].as_array().unwrap() {
                if !object.contains_key(required.as_str().unwrap()) {
                    return Err(format!("{path}: {required} is missing"));
                }
            }
            for (key, value) in object {
                let Some(schema) = properties.get(key) else {
                    return Err(format!("{path}: {key} is not described"));
                };
                self.named(value, schema, &format!("{path}.{key}"), &format!("{name}.{key}"))?;
                self.seen.borrow_mut().insert(format!("{name}.{key}"));
            }
        }
        for (i, item) in value.as_array().into_iter().flatten().enumerate() {
            self.named(item, &schema["items"], &format!("{path}[{i}]"), &format!("{name}[]"))?;
        }
        Ok(())
    }

    /// All schemas and properties that are described and have not been seen.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (name, schema) in self.document["components"]["schemas"].as_object().unwrap() {
            all.push(name.clone());
            self.list(schema, name, &mut all);
        }
        let seen = self.seen.borrow();
        all.retain(|name| !seen.contains(name));
        all
    }

    fn list(&self, schema: &Value, name: &str, all: &mut Vec<String>) {
        for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
            let name = format!("{name}.{key}");
            all.push(name.clone());
            self.list(schema, &name, all);
        }
        for variant in schema["oneOf"].as_array().into_iter().flatten() {
            self.list(variant, name, all);
        }
        if schema["items"].is_object() {
            self.list(&schema["items"], &format!("{name}[]"), all);
        }
    }
}
