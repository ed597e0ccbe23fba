//! A file with changes in it: what is new is read like the file, and all of it is checked like the file.

use toml_edit::Table;

use super::diagnostic::{Diagnostics, Report};
use super::reader::TableReader;
use super::sections::{self, Written, WrittenBackend, WrittenService};
use super::{Loaded, checks};
use crate::model::Config;

/// See the module. Where its mistakes are said to be means nothing.
pub(crate) struct Draft {
    written: Written,
    report: Report<'static>,
}

impl Draft {
    /// The file as it is.
    pub(crate) fn of(file: &Loaded) -> Self {
        Self { written: file.written.clone(), report: Report::new("", "") }
    }

    /// The services, to be changed.
    pub(crate) fn services(&mut self) -> &mut Vec<WrittenService> {
        &mut self.written.services
    }

    /// Adds a service with these keys.
    pub(crate) fn add_service(&mut self, table: &Table) {
        let number = self.written.services.len() + 1;
        let service = sections::numbered_service(TableReader::root(table, &self.report), number);
        self.written.services.push(service);
    }

    /// Has a service's backend in this place, or behind the last, be the one with these keys.
    pub(crate) fn set_backend(&mut self, service: usize, at: usize, table: &Table) {
        let service = &mut self.written.services[service];
        let reader = TableReader::root(table, &self.report);
        let backend = sections::numbered_backend(reader, &service.place, at + 1);
        match service.backends.get_mut(at) {
            Some(before) => *before = backend,
            None => service.backends.push(backend),
        }
    }

    /// The configuration, if it makes one.
    pub(crate) fn finish(self) -> Result<Config, Diagnostics> {
        checks::check(&self.written, &self.report);
        self.report.finish(self.written.model())
    }
}

impl WrittenService {
    /// Its name; empty where there is none.
    pub(crate) fn name(&self) -> &str {
        self.name.as_ref().map_or("", |name| name.value.as_str())
    }
}

impl WrittenBackend {
    /// Gives it another weight.
    pub(crate) fn set_weight(&mut self, weight: u16) {
        self.weight = Some(super::reader::Located { value: weight, at: self.at });
    }
}
