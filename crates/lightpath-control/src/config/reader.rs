//! Reads TOML tables by their declared keys.

use std::ops::Range;

use toml_edit::{Item, TableLike};

use super::diagnostic::{Complaint, Report};
use super::keys::{Key, Section};
use super::suggestion;

/// A usable value and the byte offset where it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Located<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

/// One table of the file.
pub(super) struct TableReader<'a> {
    table: &'a dyn TableLike,
    report: &'a Report<'a>,
    /// How messages name the table, such as `service "web" backend 2`.
    place: String,
    /// Where the table begins.
    at: usize,
}

impl<'a> TableReader<'a> {
    /// Opens the whole document.
    pub(super) fn root(table: &'a dyn TableLike, report: &'a Report<'a>) -> Self {
        Self { table, report, place: String::new(), at: 0 }
    }

    /// Where the table begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Reports the keys that `section` does not have.
    pub(super) fn refuse_other_keys(&self, section: &Section) {
        for (name, _) in self.table.iter() {
            if section.keys.iter().any(|key| key.name == name) {
                continue;
            }
            let complaint = unknown_key(name, section);
            let span = self.table.key(name).and_then(toml_edit::Key::span);
            self.report.add(span.map_or(self.at, |span| span.start), Some(self.field(name)), complaint);
        }
    }

    /// A value that must be there.
    pub(super) fn required<T>(
        &self,
        key: &Key,
        convert: impl FnOnce(&Given<'_>) -> Result<T, Complaint>,
    ) -> Option<Located<T>> {
        match self.given(key) {
            Some(given) => self.convert(&given, convert),
            None => self.missing(key),
        }
    }

    /// A value that is `default`, located at the table's head, when it is not written.
    pub(super) fn or_default<T>(
        &self,
        key: &Key,
        default: T,
        convert: impl FnOnce(&Given<'_>) -> Result<T, Complaint>,
    ) -> Option<Located<T>> {
        match self.given(key) {
            Some(given) => self.convert(&given, convert),
            None => Some(Located { value: default, at: self.at }),
        }
    }

    /// Complains about a key if it is written.
    pub(super) fn refuse(&self, key: &Key, problem: &str, help: &str) {
        if self.table.contains_key(key.name) {
            let span = self.table.key(key.name).and_then(toml_edit::Key::span);
            self.add(start(span, self.at), key, Complaint::new(problem, help));
        }
    }

    /// A list that must be there and hold something; elements that cannot be used are reported and left out.
    pub(super) fn required_list<T>(
        &self,
        key: &Key,
        convert: impl FnMut(&Given<'_>) -> Result<T, Complaint>,
    ) -> Option<Vec<Located<T>>> {
        let Some(given) = self.given(key) else { return self.missing(key) };
        if given.item.as_array().is_some_and(toml_edit::Array::is_empty) {
            self.add(given.at, key, given.refused("is empty"));
            return None;
        }
        self.list(key, convert)
    }

    /// One value, or a list of them that holds something; elements that cannot be used are reported and left out. `default`
    /// stands for what is not written.
    pub(super) fn one_or_list<T>(
        &self,
        key: &Key,
        default: T,
        convert: impl FnMut(&Given<'_>) -> Result<T, Complaint>,
    ) -> Option<Vec<Located<T>>> {
        match self.given(key) {
            None => Some(vec![Located { value: default, at: self.at }]),
            Some(given) if given.item.is_array() => self.required_list(key, convert),
            Some(given) => Some(vec![self.convert(&given, convert)?]),
        }
    }

    /// A list that is empty when it is not written; elements that cannot be used are reported and left out.
    pub(super) fn list<T>(
        &self,
        key: &Key,
        mut convert: impl FnMut(&Given<'_>) -> Result<T, Complaint>,
    ) -> Option<Vec<Located<T>>> {
        let Some(given) = self.given(key) else { return Some(Vec::new()) };
        let Some(array) = given.item.as_array() else {
            self.add(given.at, key, given.wrong_type());
            return None;
        };
        let elements = array.iter().filter_map(|value| {
            let item = Item::Value(value.clone());
            let element = Given { item: &item, at: start(value.span(), given.at), ..given };
            self.convert(&element, &mut convert)
        });
        Some(elements.collect())
    }

    /// The one table under `key`.
    pub(super) fn table(&self, key: &Key) -> Option<Self> {
        let given = self.given(key)?;
        if let Some(table) = given.item.as_table_like() {
            return Some(self.nested(table, start(given.item.span(), given.at)).named(self.field(key.name)));
        }
        self.add(given.at, key, given.wrong_type());
        None
    }

    /// What `convert` makes of the table under `key`; `None` inside when it is not written.
    pub(super) fn optional_table<T>(
        &self,
        key: &Key,
        convert: impl FnOnce(Self) -> Option<T>,
    ) -> Option<Located<Option<T>>> {
        if !self.table.contains_key(key.name) {
            return Some(Located { value: None, at: self.at });
        }
        let table = self.table(key)?;
        let at = table.at;
        Some(Located { value: Some(convert(table)?), at })
    }

    /// The one table under `key`, reported when it is not there.
    pub(super) fn required_table(&self, key: &Key) -> Option<Self> {
        if self.table.contains_key(key.name) { self.table(key) } else { self.missing(key) }
    }

    /// The tables under `key`, in file order, whether written in double brackets or as a list of inline tables.
    pub(super) fn tables(&self, key: &Key) -> Vec<Self> {
        let Some(given) = self.given(key) else { return Vec::new() };
        if let Some(tables) = given.item.as_array_of_tables() {
            return tables.iter().map(|table| self.nested(table, start(table.span(), given.at))).collect();
        }
        let Some(array) = given.item.as_array() else {
            self.add(given.at, key, given.wrong_type());
            return Vec::new();
        };
        let tables = array.iter().filter_map(|value| {
            let at = start(value.span(), given.at);
            let Some(table) = value.as_inline_table() else {
                let item = Item::Value(value.clone());
                self.add(at, key, Given { item: &item, at, ..given }.wrong_type());
                return None;
            };
            Some(self.nested(table, at))
        });
        tables.collect()
    }

    /// The text under `key`, if it is text, usable or not: to name the table in messages.
    pub(super) fn text(&self, key: &Key) -> Option<&'a str> {
        self.table.get(key.name)?.as_str()
    }

    /// This reader with another name in messages.
    pub(super) fn named(self, place: impl Into<String>) -> Self {
        Self { place: place.into(), ..self }
    }

    /// How messages name the table.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    fn nested(&self, table: &'a dyn TableLike, at: usize) -> Self {
        Self { table, report: self.report, place: String::new(), at }
    }

    fn given(&self, key: &Key) -> Option<Given<'a>> {
        let item = self.table.get(key.name)?;
        let key_span = self.table.key(key.name).and_then(toml_edit::Key::span);
        // A table's own span may begin at another part of it; its key is where a reader looks.
        let span = if item.is_value() { item.span() } else { key_span };
        Some(Given { item, key: *key, text: self.report.text(), at: start(span, self.at) })
    }

    fn convert<T>(
        &self,
        given: &Given<'_>,
        convert: impl FnOnce(&Given<'_>) -> Result<T, Complaint>,
    ) -> Option<Located<T>> {
        match convert(given) {
            Ok(value) => Some(Located { value, at: given.at }),
            Err(complaint) => {
                self.add(given.at, &given.key, complaint);
                None
            }
        }
    }

    fn missing<T>(&self, key: &Key) -> Option<T> {
        self.add(self.at, key, Complaint::new("missing", format!("write {}", key.allowed)));
        None
    }

    fn add(&self, at: usize, key: &Key, complaint: Complaint) {
        self.report.add(at, Some(self.field(key.name)), complaint);
    }

    fn field(&self, key: &str) -> String {
        field(&self.place, key)
    }
}

/// How messages name a key of a table.
pub(super) fn field(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}: {key}") }
}

/// A value as it is written.
pub(super) struct Given<'a> {
    item: &'a Item,
    key: Key,
    text: &'a str,
    at: usize,
}

impl Given<'_> {
    /// The string it is.
    pub(super) fn string(&self) -> Result<&str, Complaint> {
        self.item.as_str().ok_or_else(|| self.wrong_type())
    }

    /// The integer it is.
    pub(super) fn integer(&self) -> Result<i64, Complaint> {
        self.item.as_integer().ok_or_else(|| self.wrong_type())
    }

    /// The truth value it is.
    pub(super) fn boolean(&self) -> Result<bool, Complaint> {
        self.item.as_bool().ok_or_else(|| self.wrong_type())
    }

    /// The integer it is, if it is one.
    pub(super) fn as_integer(&self) -> Option<i64> {
        self.item.as_integer()
    }

    /// Complains that the value, quoted, is what `problem` says; the help says what is allowed.
    pub(super) fn refused(&self, problem: &str) -> Complaint {
        self.refused_with(problem, format!("write {}", self.key.allowed))
    }

    /// Complains that the value, quoted, is what `problem` says.
    pub(super) fn refused_with(&self, problem: &str, help: impl Into<String>) -> Complaint {
        Complaint::new(format!("{} {problem}", self.quoted()), help)
    }

    fn wrong_type(&self) -> Complaint {
        let article = if self.item.type_name().starts_with(['a', 'i']) { "an" } else { "a" };
        let problem = format!("is {article} {}", self.item.type_name());
        if self.item.is_value() {
            return self.refused(&problem);
        }
        Complaint::new(format!("this {problem}"), format!("write {}", self.key.allowed))
    }

    /// The value exactly as it stands in the file, cut to a readable length.
    fn quoted(&self) -> String {
        const LONGEST: usize = 70;
        let written = match self.item.span() {
            Some(span) => self.text.get(span).unwrap_or_default().to_owned(),
            // It was never written, but came by the API.
            None => self.item.to_string().trim().to_owned(),
        };
        let line = written.lines().next().unwrap_or_default();
        if line.len() == written.len() && line.chars().count() <= LONGEST {
            return line.to_owned();
        }
        line.chars().take(LONGEST).chain(['…']).collect()
    }
}

fn start(span: Option<Range<usize>>, otherwise: usize) -> usize {
    span.map_or(otherwise, |span| span.start)
}

fn unknown_key(name: &str, section: &Section) -> Complaint {
    let names = section.keys.iter().map(|key| key.name);
    let help = if let Some(meant) = suggestion::closest(name, names.clone()) {
        format!("did you mean \"{meant}\"?")
    } else {
        let names: Vec<&str> = names.collect();
        format!("the keys here are {}", names.join(", "))
    };
    Complaint::new("unknown key", help)
}
