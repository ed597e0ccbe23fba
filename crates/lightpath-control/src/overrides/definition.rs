//! A `[[service]]` from a file of its own.

use serde_json::Value as Json;
use toml_edit::{Document, Item, TableLike, Value};

use super::Definition;

/// The keys of the one `[[service]]` in a text. Whether they are right is seen where it is added.
pub fn definition_of(text: &str, file: &str) -> Result<Definition, String> {
    let document = Document::parse(text).map_err(|error| format!("{file}: {error}"))?;
    let services: Vec<Json> = match document.get("service").map(json_of_item) {
        Some(Json::Array(services)) => services,
        _ => Vec::new(),
    };
    if let Some((other, _)) = document.iter().find(|(key, _)| *key != "service") {
        return Err(format!("{file}: {other} does not belong here; write one [[service]] and nothing else"));
    }
    match <[Json; 1]>::try_from(services) {
        Ok([Json::Object(service)]) => Ok(service),
        Ok(_) => Err(format!("{file}: service is no table; write one [[service]]")),
        Err(services) => Err(format!("{file}: there are {} services; write one [[service]]", services.len())),
    }
}

fn json_of_item(item: &Item) -> Json {
    match item {
        Item::None => Json::Null,
        Item::Value(value) => json_of(value),
        Item::Table(table) => json_of_table(table),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| json_of_table(table)).collect(),
    }
}

fn json_of_table(table: &dyn TableLike) -> Json {
    Json::Object(table.iter().map(|(key, item)| (key.to_owned(), json_of_item(item))).collect())
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::String(text) => text.value().as_str().into(),
        Value::Integer(integer) => (*integer.value()).into(),
        Value::Float(float) => (*float.value()).into(),
        Value::Boolean(boolean) => (*boolean.value()).into(),
        // No key takes a date: as text it is refused by name.
        Value::Datetime(date) => date.value().to_string().into(),
        Value::Array(values) => values.iter().map(json_of).collect(),
        Value::InlineTable(table) => json_of_table(table),
    }
}
