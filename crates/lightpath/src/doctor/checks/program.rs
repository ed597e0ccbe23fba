use anyhow::Result;
use lightpath_dataplane::{Dataplane, Pins};

use crate::daemon::spec;
use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

/// The kernel takes the program that this configuration asks for: helpers, links, maps, and the verifier's word. It is loaded beside
/// whatever runs, and let go again.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let Ok(config) = &around.config else { return Ok(Vec::new()) };
    let Some(root) = around.instance.pins.directory().parent() else { return Ok(Vec::new()) };
    let trial = Trial(Pins::new(root, &format!("{TRIAL}{}", std::process::id())));
    let found = match Dataplane::open_fresh(&trial.0, &spec(config, &around.vlans)?) {
        Ok(dataplane) => {
            let walked = dataplane.info()?.verified_instructions;
            let walked =
                walked.map_or_else(String::new, |walked| format!(", {walked} instructions verified"));
            Finding::ok("program", format_args!("the kernel takes it{walked}"))
        }
        Err(error) => {
            let why = "a daemon cannot start, or change to this configuration";
            Finding::error("program", error, why)
        }
    };
    Ok(vec![found])
}

/// What the names of instances that only try something begin with.
pub(super) const TRIAL: &str = "doctor-";

/// An instance that is gone when it is dropped.
struct Trial(Pins);

impl Drop for Trial {
    fn drop(&mut self) {
        if let Err(error) = self.0.remove() {
            eprintln!("lightpath: {error}");
        }
    }
}
