//! Values about CPUs and the queues that they serve.

use crate::config::diagnostic::Complaint;
use crate::config::reader::Given;
use crate::cpu_list;
use crate::model::{Queues, Spread};

/// The most receive queues that can be asked for, and CPUs that can be named.
const MOST: u16 = 1024;

/// How many receive queues there are to be.
pub(in crate::config) fn queues(given: &Given<'_>) -> Result<Queues, Complaint> {
    if let Some(number) = given.as_integer() {
        let count = u16::try_from(number).ok().filter(|count| (1..=MOST).contains(count));
        return count.map(Queues::Count).ok_or_else(|| given.refused("is no number of queues"));
    }
    match given.string()? {
        "keep" => Ok(Queues::Keep),
        "auto" => Ok(Queues::Auto),
        written => match written.parse::<u16>() {
            Ok(count) => {
                Err(given.refused_with("is a string", format!("write the number without quotes: {count}")))
            }
            Err(_) => Err(given.refused("is not known")),
        },
    }
}

/// Over which CPUs packets are spread.
pub(in crate::config) fn spread(given: &Given<'_>) -> Result<Spread, Complaint> {
    match given.string()? {
        "off" => Ok(Spread::Off),
        "all" => Ok(Spread::All),
        list => match cpu_list::parse(list) {
            Some(cpus) if cpus.is_empty() => Err(given.refused("names no CPU")),
            Some(cpus) if cpus.iter().any(|cpu| *cpu >= MOST.into()) => {
                Err(given.refused(&format!("names a CPU beyond {}", MOST - 1)))
            }
            Some(cpus) => Ok(Spread::Over(cpus)),
            None => Err(given.refused("is no list of CPUs")),
        },
    }
}
