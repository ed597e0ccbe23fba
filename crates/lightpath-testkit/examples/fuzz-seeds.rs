//! Writes what fuzzing begins with: `FOLDER/TARGET/NUMBER` for each input, and `FOLDER/configuration.dict`.

use std::path::Path;
use std::{env, fs, io};

use lightpath_testkit::properties::{Target, dictionary, seeds};

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).ok_or_else(|| io::Error::other("usage: fuzz-seeds FOLDER"))?;
    let folder = Path::new(&folder);
    for target in Target::ALL {
        let folder = folder.join(target.name());
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds(target).iter().enumerate() {
            fs::write(folder.join(number.to_string()), seed)?;
        }
    }
    fs::write(folder.join("configuration.dict"), dictionary())
}
