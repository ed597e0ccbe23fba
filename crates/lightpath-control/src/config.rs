//! The configuration file: TOML in, [`model::Config`](crate::model::Config) or a list of every mistake out.
//!
//! ```text
//! text ── toml_edit ──▶ tables with positions ── sections ──▶ located values ── checks ──▶ model
//!                                    every step adds to one Report; only an empty one yields a model
//! ```
//!
//! The module `keys` declares what may be written. Reading, the help in messages and the reference in `docs/configuration.md`
//! all follow that declaration. A mistake in one place never hides another: a value that cannot be used is reported
//! where it stands and left out, and the checks across values look at what remains.

mod checks;
mod diagnostic;
mod draft;
mod keys;
mod overlap;
mod reader;
mod reference;
mod sections;
mod suggestion;
mod values;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use toml_edit::Document;

use crate::model::Config;
use diagnostic::{Complaint, Report};
use sections::Written;

pub use diagnostic::{Diagnostic, Diagnostics};
pub(crate) use draft::Draft;
pub use reference::{EXAMPLE, markdown};
pub(crate) use sections::{WrittenBackend, WrittenService};
pub(crate) use suggestion::closest;

/// The seed of the flow hash when the configuration names none: equal everywhere, so that a cluster works unset, and
/// public, so that somebody who cares about aimed collisions sets another.
pub const DEFAULT_HASH_SEED: &str = "lightpath";

/// Slots of a service's Maglev table when the configuration names no number.
pub const DEFAULT_SLOTS: u32 = 65_537;

/// Slots a table must have for each backend with a weight. Shares are exact to about one slot, so 10 keep an average
/// share within 10 %, and the 100 that section 3.4 of the Maglev paper advises within 1 %.
pub const MIN_SLOTS_PER_BACKEND: u32 = 10;

/// Backends that one configuration may hold: as many as there are 16-bit backend numbers without 0.
pub const MAX_BACKENDS: usize = 65_535;

/// Prefixes that `tunnel_sources` and `snat_addresses` may each hold: the packet path has room for these and the defaults.
pub const MAX_SOURCE_PREFIXES: usize = 256;

/// Addresses that `snat_addresses` may hold, prefixes counted in full.
pub const MAX_SNAT_ADDRESSES: u64 = 1024;

/// A configuration file that is right.
#[derive(Clone, Debug)]
pub struct Loaded {
    config: Config,
    /// Its tables, to be changed.
    written: Written,
    /// A hash of the text.
    digest: u64,
}

impl Loaded {
    /// What it says.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the file at `path` still has the text that was read. One that cannot be read has not.
    #[must_use]
    pub fn is_still(&self, path: &Path) -> bool {
        std::fs::read(path).is_ok_and(|text| digest(&text) == self.digest)
    }
}

/// Reads and checks a configuration. `file` is the name used in messages; nothing is opened.
pub fn parse(text: &str, file: &str) -> Result<Config, Diagnostics> {
    read(text, file).map(|loaded| loaded.config)
}

/// Reads and checks the configuration file at `path`.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let bytes =
        std::fs::read(path).map_err(|source| LoadError::Unreadable { path: path.to_path_buf(), source })?;
    let file = path.display().to_string();
    match str::from_utf8(&bytes) {
        Ok(text) => Ok(read(text, &file)?),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let report = Report::new(&valid, &file);
            report.add(valid.len(), None, Complaint::new("this is not UTF-8", "save the file as UTF-8"));
            Err(report.refusal().into())
        }
    }
}

fn read(text: &str, file: &str) -> Result<Loaded, Diagnostics> {
    let report = Report::new(text, file);
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            // The parser's words for "nothing more may follow here".
            let problem = error.message().trim_end_matches(", expected nothing");
            report.add(at, None, Complaint::new(problem, "the file must be TOML, see https://toml.io"));
            return Err(report.refusal());
        }
    };
    let written = sections::read(document.as_table(), &report);
    checks::check(&written, &report);
    let config = report.finish(written.model())?;
    Ok(Loaded { config, written, digest: digest(text.as_bytes()) })
}

fn digest(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Why a configuration file gave no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was read and is wrong.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
}
