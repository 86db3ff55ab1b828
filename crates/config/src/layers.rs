//! Layers of settings: base, overlay of an environment, environment variables, flags; a later one wins key
//! by key.

use serde_json::{Map, Value};

use crate::problem::Problems;

/// Reads YAML (JSON is YAML too) into a tree. An empty text is an empty tree.
pub fn parse(name: &str, text: &str, problems: &mut Problems) -> Value {
    if text.trim().is_empty() {
        return Value::Object(Map::new());
    }
    match serde_saphyr::from_str::<Value>(text) {
        Ok(Value::Null) => Value::Object(Map::new()),
        Ok(tree @ Value::Object(_)) => tree,
        Ok(_) => {
            problems.add(name, "is no mapping of sections; begin with `data_sources:` or another section");
            Value::Object(Map::new())
        }
        Err(error) => {
            // Only the place is told: what the parser quotes may hold a key.
            let what = match error.without_snippet() {
                serde_saphyr::Error::DuplicateMappingKey { .. } => "has the same key twice",
                _ => "cannot be read as YAML",
            };
            let place = error
                .location()
                .map(|at| format!(" at line {}, column {}", at.line(), at.column()))
                .unwrap_or_default();
            problems.add(name, format!("{what}{place}"));
            Value::Object(Map::new())
        }
    }
}

/// Gives a layer its canonical names: `vendors` is `data_sources`, and a vendor's alias is its id, so that
/// layers meet whatever names they use. A vendor that stands twice in one layer is a problem (SRC-6).
pub fn canonical(layer: &mut Value, problems: &mut Problems) {
    let Some(root) = layer.as_object_mut() else { return };
    let mut vendors: Map<String, Value> = Map::new();
    let mut written: Vec<(String, String)> = Vec::new();
    for section in ["data_sources", "vendors"] {
        match root.remove(section) {
            Some(Value::Object(map)) => {
                for (key, value) in map {
                    let id = vendors::find(&key).map_or(key.clone(), |codec| codec.profile().id.to_string());
                    let path = format!("{section}.{key}");
                    match written.iter().find(|(known, _)| *known == id) {
                        Some((_, first)) => {
                            problems.add(path, format!("is the vendor of `{first}` again; keep one of them"));
                        }
                        None => {
                            written.push((id.clone(), path));
                            vendors.insert(id, value);
                        }
                    }
                }
            }
            Some(Value::Null) | None => {}
            Some(_) => problems.add(section, "is a section: write its keys below it, indented"),
        }
    }
    if !vendors.is_empty() {
        root.insert("data_sources".to_owned(), Value::Object(vendors));
    }
}

/// Lays `over` upon `base`: mappings key by key, everything else replaced whole. A section left empty
/// leaves the one below it as it is.
pub fn lay(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(known) => lay(known, value),
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (Value::Object(_), Value::Null) => {}
        (base, over) => *base = over,
    }
}

/// Replaces `${NAME}` and `${NAME:-default}` in every text by what `variable` says. A required one that is
/// not set or empty is a problem, except below a vendor that is switched off; nothing of its surroundings
/// is kept as a literal.
pub fn interpolate(tree: &mut Value, variable: &dyn Fn(&str) -> Option<String>, problems: &mut Problems) {
    let mut found = Problems::default();
    walk(tree, String::new(), variable, &mut found);
    let off = |key: &str| {
        let vendor = key.strip_prefix("data_sources.").and_then(|rest| rest.split('.').next());
        vendor.is_some_and(|vendor| match &tree["data_sources"][vendor]["enabled"] {
            Value::Bool(enabled) => !enabled,
            Value::String(text) => text == "false",
            _ => false,
        })
    };
    problems.0.extend(found.0.into_iter().filter(|problem| !off(&problem.key)));
}

fn walk(tree: &mut Value, path: String, variable: &dyn Fn(&str) -> Option<String>, problems: &mut Problems) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match tree {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                walk(value, below(key), variable, problems);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, format!("{path}[{index}]"), variable, problems);
            }
        }
        Value::String(text) if text.contains("${") => match fill(text, variable) {
            Ok(filled) => *text = filled,
            Err(what) => {
                problems.add(path, what);
                *tree = Value::Null;
            }
        },
        _ => {}
    }
}

fn fill(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let end = inner.find('}').ok_or("has `${` without `}`; write `${NAME}` or `${NAME:-default}`")?;
        let (name, default) = match inner[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inner[..end], None),
        };
        let shaped = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !shaped {
            return Err(
                "refers to what is no variable's name; write `${NAME}` or `${NAME:-default}`".to_owned()
            );
        }
        match variable(name).filter(|value| !value.is_empty()).or_else(|| default.map(str::to_owned)) {
            Some(value) => out.push_str(&value),
            None => return Err(format!("needs the environment variable {name}, which is not set")),
        }
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    // CFG-1, CFG-2, CFG-3.
    use super::*;
    use serde_json::json;

    fn variable(name: &str) -> Option<String> {
        (name == "KEY").then(|| "abc".to_owned())
    }

    #[test]
    fn a_later_layer_wins_key_by_key() {
        let mut base = json!({"api": {"listen": "a", "cors": 1}, "list": [1, 2]});
        lay(&mut base, json!({"api": {"listen": "b"}, "list": [3]}));
        assert_eq!(base, json!({"api": {"listen": "b", "cors": 1}, "list": [3]}));
    }

    #[test]
    fn a_reference_is_filled_or_it_is_a_problem() {
        let mut problems = Problems::default();
        let mut tree =
            json!({"a": "${KEY}", "b": {"c": "x${NONE:-d}y"}, "e": ["${NONE}"], "f": "${", "g": "${a b}"});
        interpolate(&mut tree, &variable, &mut problems);
        assert_eq!(tree["a"], "abc");
        assert_eq!(tree["b"]["c"], "xdy");
        assert_eq!(tree["e"][0], Value::Null);
        insta::assert_snapshot!(problems.to_string(), @r"
        e[0]: needs the environment variable NONE, which is not set
        f: has `${` without `}`; write `${NAME}` or `${NAME:-default}`
        g: refers to what is no variable's name; write `${NAME}` or `${NAME:-default}`
        ");
    }

    #[test]
    fn broken_yaml_is_one_problem_that_does_not_quote_the_text() {
        let mut problems = Problems::default();
        parse("mda.yaml", "api: [1, 2\nkey: secret-value", &mut problems);
        assert_eq!(problems.0.len(), 1);
        assert!(!problems.to_string().contains("secret-value"), "{problems}");
        parse("mda.yaml", "just text", &mut problems);
        parse("mda.yaml", "api: {listen: a}\napi: {listen: b}\n", &mut problems);
        insta::assert_snapshot!(problems.to_string(), @r"
        mda.yaml: cannot be read as YAML at line 2, column 4
        mda.yaml: is no mapping of sections; begin with `data_sources:` or another section
        mda.yaml: has the same key twice at line 2, column 1
        ");
    }
}
