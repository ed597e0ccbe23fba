//! Overrides written into the tables of the file, and the result read by the file's own rules.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value};

use super::{BackendOverride, Definition, Endpoint, Overrides};
use crate::config::{self, Diagnostics, Loaded};
use crate::model::Config;

/// What is to run: the file and the overrides that still mean something.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The configuration.
    pub config: Config,
    /// The overrides without those that have become pointless.
    pub overrides: Overrides,
    /// Why those are left out, a line each.
    pub left_out: Vec<String>,
}

/// The file and the overrides contradict each other, or an override is wrong by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Unfit(Vec<String>);

impl Unfit {
    /// The contradictions, at least one.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

impl From<Diagnostics> for Unfit {
    fn from(diagnostics: Diagnostics) -> Self {
        // Where a value stands in the merged text would lead nowhere.
        Self(diagnostics.iter().map(config::Diagnostic::without_place).collect())
    }
}

impl Overrides {
    /// Applies everything that still has what it is about.
    pub fn merged(&self, file: &Loaded) -> Result<Merged, Unfit> {
        if self.is_empty() {
            let config = file.config().clone();
            return Ok(Merged { config, overrides: self.clone(), left_out: Vec::new() });
        }
        let mut merge = Merge { document: file.document().clone(), left_out: Vec::new() };
        let mut overrides = self.clone();
        merge.services(&mut overrides)?;
        merge.backends(&mut overrides)?;
        let config = config::of_document(&merge.document)?;
        Ok(Merged { config, overrides, left_out: merge.left_out })
    }
}

struct Merge {
    document: DocumentMut,
    left_out: Vec<String>,
}

impl Merge {
    fn services(&mut self, overrides: &mut Overrides) -> Result<(), Unfit> {
        let services = tables(self.document.as_table_mut(), "service");
        let had =
            |services: &ArrayOfTables, name: &str| services.iter().any(|table| text(table, "name") == name);
        overrides.removed_services.retain(|name| {
            let is_there = had(services, name);
            if !is_there {
                self.left_out.push(format!("service {name}: the file does not have it any more"));
            }
            is_there
        });
        services.retain(|table| !overrides.removed_services.contains(text(table, "name")));
        overrides.added_services.retain(|definition| {
            let name = name_of(definition);
            let is_new = !had(services, name);
            if !is_new {
                self.left_out.push(format!("service {name}: the file has it by now"));
            }
            is_new
        });
        for definition in &overrides.added_services {
            services.push(table_of(definition)?);
        }
        Ok(())
    }

    fn backends(&mut self, overrides: &mut Overrides) -> Result<(), Unfit> {
        let mut of_services: HashMap<String, Vec<BackendOverride>> = HashMap::new();
        for known in std::mem::take(&mut overrides.backends) {
            of_services.entry(known.service.clone()).or_default().push(known);
        }
        for table in tables(self.document.as_table_mut(), "service").iter_mut() {
            let Some(known) = of_services.remove(text(table, "name")) else { continue };
            let mut service = Backends::of(table);
            for backend in known {
                match service.apply(backend)? {
                    Applied::Kept(backend) => overrides.backends.push(backend),
                    Applied::LeftOut(why) => self.left_out.push(why),
                }
            }
            service.finish();
        }
        self.left_out.extend(
            of_services
                .into_values()
                .flatten()
                .map(|known| says(&known, "there is no such service any more")),
        );
        Ok(())
    }
}

/// The backends of one service while they are changed.
struct Backends<'a> {
    tables: &'a mut ArrayOfTables,
    found: HashMap<Endpoint, usize>,
    removed: HashSet<usize>,
}

enum Applied {
    Kept(BackendOverride),
    LeftOut(String),
}

impl<'a> Backends<'a> {
    fn of(service: &'a mut Table) -> Self {
        let port = service.get("port").and_then(port_of);
        let tables = tables(service, "backend");
        let places = tables.iter().enumerate();
        let found = places.filter_map(|(at, table)| Some((endpoint(table, port)?, at))).collect();
        Self { tables, found, removed: HashSet::new() }
    }

    fn apply(&mut self, known: BackendOverride) -> Result<Applied, Unfit> {
        let at = match (self.found.get(&known.backend).copied(), &known.added) {
            (Some(_), Some(_)) if !known.removed => {
                return Ok(Applied::LeftOut(says(&known, "the file has it by now")));
            }
            (Some(at), Some(definition)) => {
                // Another in its place.
                let table = table_of(definition)?;
                self.tables.get_mut(at).into_iter().for_each(|old| *old = table.clone());
                at
            }
            (None, Some(definition)) => {
                self.tables.push(table_of(definition)?);
                self.tables.len() - 1
            }
            (Some(at), None) if known.removed => {
                self.removed.insert(at);
                at
            }
            (Some(at), None) => at,
            (None, None) => {
                return Ok(Applied::LeftOut(says(&known, "the file does not have it any more")));
            }
        };
        let weight = if known.drained { Some(0) } else { known.weight };
        if let (Some(table), Some(weight)) = (self.tables.get_mut(at), weight) {
            table.insert("weight", Item::Value(i64::from(weight).into()));
        }
        Ok(Applied::Kept(known))
    }

    fn finish(self) {
        let mut places = 0..;
        self.tables.retain(|_| places.next().is_none_or(|at| !self.removed.contains(&at)));
    }
}

fn says(known: &BackendOverride, what: &str) -> String {
    format!("service {}: backend {}: {what}", known.service, known.backend)
}

/// The name that a definition of a service gives it; empty when it has none, which is reported where it is read.
pub(super) fn name_of(definition: &Definition) -> &str {
    definition.get("name").and_then(Json::as_str).unwrap_or_default()
}

/// The tables under a key, whichever way they are written.
fn tables<'a>(table: &'a mut Table, key: &str) -> &'a mut ArrayOfTables {
    let item = table.entry(key).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    if !item.is_array_of_tables() {
        // The file was read before, so this is a list of tables, or an empty list.
        let written = std::mem::take(item).into_array_of_tables();
        *item = Item::ArrayOfTables(written.unwrap_or_default());
    }
    let Item::ArrayOfTables(tables) = item else { unreachable!("it was made one") };
    tables
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table.get(key).and_then(Item::as_str).unwrap_or_default()
}

fn port_of(item: &Item) -> Option<u16> {
    item.as_integer().and_then(|port| u16::try_from(port).ok())
}

/// The backend that a table is, in a service with one port or with several.
fn endpoint(table: &Table, service_port: Option<u16>) -> Option<Endpoint> {
    let address = text(table, "address").parse().ok()?;
    let own = table.get("port").and_then(port_of);
    Some(Endpoint { address, port: service_port.map(|port| own.unwrap_or(port)) })
}

fn table_of(definition: &Definition) -> Result<Table, Unfit> {
    let mut table = Table::new();
    for (key, value) in definition {
        table.insert(key, Item::Value(toml_of(key, value)?));
    }
    Ok(table)
}

fn toml_of(key: &str, json: &Json) -> Result<Value, Unfit> {
    Ok(match json {
        Json::Null => return Err(Unfit(vec![format!("{key}: null is no value; leave the key out")])),
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(float)) => float.into(),
            (None, None) => return Err(Unfit(vec![format!("{key}: {number} is out of bounds")])),
        },
        Json::String(text) => text.into(),
        Json::Array(values) => {
            let mut array = Array::new();
            for value in values {
                array.push(toml_of(key, value)?);
            }
            array.into()
        }
        Json::Object(members) => {
            let mut table = InlineTable::new();
            for (key, value) in members {
                table.insert(key, toml_of(key, value)?);
            }
            table.into()
        }
    })
}
