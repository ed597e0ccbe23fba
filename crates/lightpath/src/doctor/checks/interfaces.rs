use lightpath_dataplane::{Error, Interface, check_interfaces};

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

/// The interfaces are there, and nobody else's XDP program is on them.
pub(super) fn look(around: &Surroundings) -> Vec<Finding> {
    let Ok(config) = &around.config else { return Vec::new() };
    config.node.interfaces.iter().map(|name| one(name, around)).collect()
}

fn one(name: &str, around: &Surroundings) -> Finding {
    let why = "its packets are not balanced, and a daemon does not start";
    match check_interfaces(&around.instance.pins, &[name.to_owned()]) {
        Ok(()) => {
            let attached = Interface::named(name).ok().and_then(|found| found.xdp);
            let what = attached.map_or("there, without an XDP program".to_owned(), |program| {
                format!("there, with this instance's program (id {})", program.id)
            });
            Finding::ok(name, what)
        }
        Err(Error::Foreign { program, id, .. }) => {
            let what = format!("it has the XDP program {program:?} (id {id}) of another application");
            Finding::error(name, what, why)
                .mend(format_args!("stop that application, or: ip link set dev {name} xdp off"))
        }
        Err(error @ Error::NoInterface { .. }) => {
            let mend = format!("correct `interfaces` in {}", around.file.display());
            Finding::error(name, error, why).mend(mend)
        }
        Err(error) => Finding::error(name, error, why),
    }
}
