//! Overrides on disk: a JSON file in the state directory that is replaced as a whole.
//!
//! ```json
//! { "version": 1,
//!   "removed_services": ["old"],
//!   "backends": [ { "service": "web", "address": "10.0.0.11", "port": 8080, "drained": true } ] }
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Overrides;
use crate::persist::{self, Beside};

/// The version this program writes, and the only one it reads.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Contents {
    version: u32,
    #[serde(flatten)]
    overrides: Overrides,
}

/// Where overrides are kept.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
}

/// Overrides as they were found.
#[derive(Debug)]
pub struct Opened {
    /// What can be used of them.
    pub overrides: Overrides,
    /// What could not, and where it is now.
    pub problem: Option<String>,
}

/// The file of overrides cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {source}", .path.display())]
pub struct StoreError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Overrides that are on disk and only have to take effect. Dropped, they are forgotten.
#[derive(Debug)]
pub struct Pending {
    path: PathBuf,
    beside: Beside,
}

impl Store {
    /// The file at this path; its directory must exist.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the overrides. A file that makes no sense is kept under another name, and there are none.
    pub fn open(&self) -> Result<Opened, StoreError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Opened { overrides: Overrides::default(), problem: None });
            }
            Err(source) => return Err(self.failed("read", source)),
        };
        match parse(&text) {
            Ok(overrides) => Ok(Opened { overrides, problem: None }),
            Err(why) => {
                let kept = self.keep_aside()?;
                let problem = format!("{} {why}; it is kept as {}", self.path.display(), kept.display());
                Ok(Opened { overrides: Overrides::default(), problem: Some(problem) })
            }
        }
    }

    /// Reads the overrides and leaves the file alone, whatever is in it; what is wrong with it.
    pub fn peek(&self) -> Result<Overrides, String> {
        let said = |why: &dyn std::fmt::Display| format!("{} {why}", self.path.display());
        match fs::read(&self.path) {
            Ok(text) => parse(&text).map_err(|why| said(&why)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Overrides::default()),
            Err(error) => Err(said(&format_args!("cannot be read: {error}"))),
        }
    }

    /// Puts the file away under a name that is not taken, and says which.
    pub fn keep_aside(&self) -> Result<PathBuf, StoreError> {
        let name = |number: u32| {
            let mut name = self.path.as_os_str().to_owned();
            name.push(format!(".unusable-{number}"));
            PathBuf::from(name)
        };
        let mut number = 1;
        while name(number).exists() {
            number += 1;
        }
        let free = name(number);
        fs::rename(&self.path, &free).map_err(|source| self.failed("put aside", source))?;
        Ok(free)
    }

    /// Writes overrides to disk; they count once they have taken their place.
    pub fn prepare(&self, overrides: &Overrides) -> Result<Pending, StoreError> {
        let contents = Contents { version: VERSION, overrides: overrides.clone() };
        let beside = persist::write_beside(&self.path, &contents);
        Ok(Pending {
            beside: beside.map_err(|source| self.failed("write", source))?,
            path: self.path.clone(),
        })
    }

    fn failed(&self, what: &'static str, source: io::Error) -> StoreError {
        StoreError { what, path: self.path.clone(), source }
    }
}

impl Pending {
    /// Makes them those that count.
    pub fn take_place(self) -> Result<(), StoreError> {
        let path = self.path;
        self.beside.take_place().map_err(|source| StoreError { what: "replace", path, source })
    }
}

fn parse(text: &[u8]) -> Result<Overrides, String> {
    /// Read first: a later version may have any other shape.
    #[derive(Deserialize)]
    struct Header {
        version: u32,
    }
    let damaged = |error: serde_json::Error| format!("is damaged ({error})");
    let Header { version } = serde_json::from_slice(text).map_err(damaged)?;
    if version != VERSION {
        return Err(format!("has version {version}, and this Lightpath knows version {VERSION}"));
    }
    let contents: Contents = serde_json::from_slice(text).map_err(damaged)?;
    Ok(contents.overrides)
}
