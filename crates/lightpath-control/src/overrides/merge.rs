//! Overrides put into what the file says, and the result judged by the file's own rules.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;
use toml_edit::{Array, InlineTable, Item, Table, Value};

use super::{BackendOverride, Definition, Endpoint, Overrides};
use crate::config::{self, Diagnostics, Draft, Loaded, WrittenBackend, WrittenService};
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
        let mut merge = Merge { draft: Draft::of(file), left_out: Vec::new() };
        let mut overrides = self.clone();
        merge.services(&mut overrides)?;
        merge.backends(&mut overrides)?;
        Ok(Merged { config: merge.draft.finish()?, overrides, left_out: merge.left_out })
    }
}

struct Merge {
    draft: Draft,
    left_out: Vec<String>,
}

impl Merge {
    fn services(&mut self, overrides: &mut Overrides) -> Result<(), Unfit> {
        let services = self.draft.services();
        let had = |services: &[WrittenService], name: &str| services.iter().any(|known| known.name() == name);
        overrides.removed_services.retain(|name| {
            let is_there = had(services, name);
            if !is_there {
                self.left_out.push(format!("service {name}: the file does not have it any more"));
            }
            is_there
        });
        services.retain(|service| !overrides.removed_services.contains(service.name()));
        overrides.added_services.retain(|definition| {
            let name = name_of(definition);
            let is_new = !had(services, name);
            if !is_new {
                self.left_out.push(format!("service {name}: the file has it by now"));
            }
            is_new
        });
        for definition in &overrides.added_services {
            self.draft.add_service(&table_of(definition)?);
        }
        Ok(())
    }

    fn backends(&mut self, overrides: &mut Overrides) -> Result<(), Unfit> {
        let mut of_services: HashMap<String, Vec<BackendOverride>> = HashMap::new();
        for known in std::mem::take(&mut overrides.backends) {
            of_services.entry(known.service.clone()).or_default().push(known);
        }
        for at in 0..self.draft.services().len() {
            let Some(known) = of_services.remove(self.draft.services()[at].name()) else { continue };
            let mut service = Backends::of(&mut self.draft, at);
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
    draft: &'a mut Draft,
    service: usize,
    found: HashMap<Endpoint, usize>,
    removed: HashSet<usize>,
}

enum Applied {
    Kept(BackendOverride),
    LeftOut(String),
}

impl<'a> Backends<'a> {
    fn of(draft: &'a mut Draft, service: usize) -> Self {
        let written = &draft.services()[service];
        let places = written.backends.iter().enumerate();
        let found = places.filter_map(|(at, backend)| Some((written.endpoint(backend)?, at))).collect();
        Self { draft, service, found, removed: HashSet::new() }
    }

    fn apply(&mut self, known: BackendOverride) -> Result<Applied, Unfit> {
        let at = match (self.found.get(&known.backend).copied(), &known.added) {
            (Some(_), Some(_)) if !known.removed => {
                return Ok(Applied::LeftOut(says(&known, "the file has it by now")));
            }
            (found, Some(definition)) => {
                // Another in its place, or one more.
                let at = found.unwrap_or(self.written().len());
                self.draft.set_backend(self.service, at, &table_of(definition)?);
                at
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
        if let (Some(backend), Some(weight)) = (self.written().get_mut(at), weight) {
            backend.set_weight(weight);
        }
        Ok(Applied::Kept(known))
    }

    fn written(&mut self) -> &mut Vec<WrittenBackend> {
        &mut self.draft.services()[self.service].backends
    }

    fn finish(mut self) {
        let removed = std::mem::take(&mut self.removed);
        let mut places = 0..;
        self.written().retain(|_| places.next().is_none_or(|at| !removed.contains(&at)));
    }
}

fn says(known: &BackendOverride, what: &str) -> String {
    format!("service {}: backend {}: {what}", known.service, known.backend)
}

/// The name that a definition of a service gives it; empty when it has none, which is reported where it is read.
pub(super) fn name_of(definition: &Definition) -> &str {
    definition.get("name").and_then(Json::as_str).unwrap_or_default()
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
