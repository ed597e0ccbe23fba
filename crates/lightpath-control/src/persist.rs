//! Files that are replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Replaces a file by `contents` in JSON.
///
/// Readers see the old contents or the new ones, also after a power failure: the data is on disk before the name points to
/// it, and the name before the call returns.
pub(crate) fn replace(path: &Path, contents: &impl Serialize) -> io::Result<()> {
    write_beside(path, contents)?.take_place()
}

/// New contents of a file, on disk but under another name. Dropped, they are gone.
#[derive(Debug)]
pub(crate) struct Beside {
    temporary: PathBuf,
    path: PathBuf,
}

/// Writes what a file is to hold, so that only its name is left to change.
pub(crate) fn write_beside(path: &Path, contents: &impl Serialize) -> io::Result<Beside> {
    // One fixed name: what a crash leaves behind is overwritten by the next change.
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let beside = Beside { temporary: temporary.into(), path: path.to_owned() };
    let mut file = File::create(&beside.temporary)?;
    serde_json::to_writer_pretty(&mut file, contents)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    Ok(beside)
}

impl Beside {
    /// Takes the place of the file.
    pub(crate) fn take_place(self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // After a rename it is not there any more; otherwise nothing reads it.
        let _ = fs::remove_file(&self.temporary);
    }
}
