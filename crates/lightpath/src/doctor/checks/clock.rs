use std::fs;

use lightpath_dataplane::is_synchronised;

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/";

/// Clocks are read in nanoseconds, and logs of several nodes can be compared. Flows are aged by the monotonic clock, which nobody
/// can set.
pub(super) fn look(_: &Surroundings) -> Vec<Finding> {
    let mut findings = Vec::new();
    // A container may not see it.
    if let Ok(source) = fs::read_to_string(format!("{SOURCE}current_clocksource")) {
        findings.push(clock_source(source.trim()));
    }
    findings.push(if is_synchronised() {
        Finding::ok("wall clock", "synchronised")
    } else {
        let why = "nothing that decides about packets reads it, but logs of several nodes do not fit together, and certificates seem \
                   not yet or no longer valid";
        Finding::hint("wall clock", "nothing keeps it in step (adjtimex)", why).mend("timedatectl set-ntp true")
    });
    findings
}

fn clock_source(source: &str) -> Finding {
    if !matches!(source, "hpet" | "acpi_pm" | "jiffies" | "refined-jiffies") {
        return Finding::ok("clock source", source);
    }
    let why = "each reading takes about a microsecond or is coarse, in the daemon and in everything else on this host";
    Finding::hint("clock source", format_args!("the kernel has fallen back to {source}"), why)
        .mend(format_args!("see `dmesg | grep -i clocksource`, then: echo tsc >{SOURCE}current_clocksource"))
}
