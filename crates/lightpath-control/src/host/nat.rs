//! What the kernel must allow before replies of NAT services can pass through this host.
//!
//! The data plane forwards most replies itself; `bpf_fib_lookup` tells it where to, but only if the interface they
//! came in on may forward. Replies whose next hop is not resolved yet are handed to the kernel with the VIP, an
//! address of this host, as their source: the kernel must forward those too.

use std::fs;

use super::ledger::{Ledger, Sysctl};
use super::{Error, sysctl};

const IPV6_CONF: &str = "net/ipv6/conf";

/// Lets packets that come in on `interfaces` be forwarded, with as little other effect on the host as possible.
///
/// IPv4, on each interface: `forwarding`; `accept_local`, without which packets from an address of this host are
/// dropped as martians; `rp_filter` from strict to loose where it is strict, as the route back to the host's own
/// address is never by that interface (Documentation/networking/ip-sysctl.rst).
///
/// IPv6, on each interface: `forwarding`, which `bpf_fib_lookup` checks, and `force_forwarding`, which the kernel's
/// own forwarding checks (since Linux 6.17, f24987ef6959). Earlier kernels forward IPv6 on all interfaces or none:
/// there `net.ipv6.conf.all.forwarding` is set.
///
/// A host that forwards IPv6 ignores router advertisements, and drops the default routes it has from them, unless
/// `accept_ra` is 2: it is raised from 1 first.
pub fn prepare_for_nat(
    interfaces: &[String],
    ipv4: bool,
    ipv6: bool,
    ledger: &mut Ledger,
) -> Result<(), Error> {
    if ipv4 {
        for interface in interfaces {
            forward_ipv4(interface, ledger)?;
        }
    }
    if ipv6 {
        forward_ipv6(interfaces, ledger)?;
    }
    Ok(())
}

/// A sysctl that keeps replies of NAT services from passing through this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The path below /proc/sys.
    pub path: String,
    /// The value found.
    pub found: String,
    /// The value that [`prepare_for_nat`] would set.
    pub wanted: &'static str,
}

/// What [`prepare_for_nat`] would set for replies to pass. Nothing is changed.
pub fn unmet_for_nat(interfaces: &[String], ipv4: bool, ipv6: bool) -> Result<Vec<Unmet>, Error> {
    let mut unmet = Vec::new();
    let mut demand = |path: String, wanted| -> Result<(), Error> {
        let found = sysctl::read(&path)?;
        if found != wanted {
            unmet.push(Unmet { path, found, wanted });
        }
        Ok(())
    };
    for interface in interfaces {
        let conf = format!("net/ipv4/conf/{interface}");
        if ipv4 {
            demand(format!("{conf}/accept_local"), "1")?;
            if is_strict(&conf)? {
                demand(format!("{conf}/rp_filter"), "2")?;
            }
            demand(format!("{conf}/forwarding"), "1")?;
        }
        if ipv6 && forces_ipv6() {
            demand(format!("{IPV6_CONF}/{interface}/forwarding"), "1")?;
            demand(format!("{IPV6_CONF}/{interface}/force_forwarding"), "1")?;
        }
    }
    if ipv6 && !forces_ipv6() {
        demand(format!("{IPV6_CONF}/all/forwarding"), "1")?;
    }
    Ok(unmet)
}

/// Whether this kernel can forward IPv6 on some interfaces; `default` has every setting that it knows of.
fn forces_ipv6() -> bool {
    sysctl::exists(&format!("{IPV6_CONF}/default/force_forwarding"))
}

/// Whether the source of what comes in must be routed by the interface that it came by. The greater of the two values applies.
fn is_strict(conf: &str) -> Result<bool, Error> {
    let values = [sysctl::read("net/ipv4/conf/all/rp_filter")?, sysctl::read(&format!("{conf}/rp_filter"))?];
    Ok(values.iter().max().is_some_and(|value| value == "1"))
}

fn forward_ipv4(interface: &str, ledger: &mut Ledger) -> Result<(), Error> {
    let conf = format!("net/ipv4/conf/{interface}");
    sysctl::set(&format!("{conf}/accept_local"), "1", ledger)?;
    if is_strict(&conf)? {
        sysctl::set(&format!("{conf}/rp_filter"), "2", ledger)?;
    }
    sysctl::set(&format!("{conf}/forwarding"), "1", ledger)
}

fn forward_ipv6(interfaces: &[String], ledger: &mut Ledger) -> Result<(), Error> {
    if !forces_ipv6() {
        return forward_ipv6_everywhere(ledger);
    }
    let pending = not_forwarding(interfaces)?;
    raise_accept_ra(pending.iter().copied(), ledger)?;
    if !pending.is_empty() {
        // Switching forwarding on for one interface drops the default routes from router advertisements on all
        // (`rt6_purge_dflt_routers`): shield those of the others while it is done.
        let all = all_interfaces()?;
        let others = all.iter().filter(|interface| !interfaces.contains(interface)).map(String::as_str);
        let shields = raise_accept_ra(others, ledger)?;
        let switched = pending.iter().try_for_each(|interface| {
            sysctl::set(&format!("{IPV6_CONF}/{interface}/forwarding"), "1", ledger)
        });
        shields.iter().try_for_each(|shield| sysctl::restore(shield, ledger))?;
        switched?;
    }
    for interface in interfaces {
        sysctl::set(&format!("{IPV6_CONF}/{interface}/force_forwarding"), "1", ledger)?;
    }
    Ok(())
}

fn forward_ipv6_everywhere(ledger: &mut Ledger) -> Result<(), Error> {
    let all = all_interfaces()?;
    raise_accept_ra(not_forwarding(&all)?.into_iter(), ledger)?;
    sysctl::set(&format!("{IPV6_CONF}/all/forwarding"), "1", ledger)
}

/// Those that do not forward yet; an interface that does has its `accept_ra` as the operator wants it.
fn not_forwarding(interfaces: &[String]) -> Result<Vec<&str>, Error> {
    let mut found = Vec::new();
    for interface in interfaces {
        if sysctl::read(&format!("{IPV6_CONF}/{interface}/forwarding"))? == "0" {
            found.push(interface.as_str());
        }
    }
    Ok(found)
}

/// Raises `accept_ra` from 1 to 2; gives the records of those it has raised.
fn raise_accept_ra<'a>(
    interfaces: impl Iterator<Item = &'a str>,
    ledger: &mut Ledger,
) -> Result<Vec<Sysctl>, Error> {
    let mut raised = Vec::new();
    for interface in interfaces {
        let path = format!("{IPV6_CONF}/{interface}/accept_ra");
        if sysctl::read(&path)? == "1" {
            sysctl::set(&path, "2", ledger)?;
            raised.extend(ledger.sysctls().iter().find(|entry| entry.path == path).cloned());
        }
    }
    Ok(raised)
}

fn all_interfaces() -> Result<Vec<String>, Error> {
    let failed = |source| Error::Sysctl { action: "list".to_owned(), path: IPV6_CONF.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(format!("/proc/sys/{IPV6_CONF}")).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name != "all" && name != "default" {
            names.push(name);
        }
    }
    Ok(names)
}
