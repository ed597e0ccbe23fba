//! The changes Lightpath makes to its host: addresses, their announcement, sysctls, queues; and what it asks of it.
//!
//! Each change is written to the [`Ledger`] before it is made, so that whatever happens in between, [`undo`] can
//! take back all that is Lightpath's and nothing that is the operator's.

pub mod addresses;
pub mod announce;
mod check_device;
pub mod device;
mod generic_netlink;
mod gone;
pub mod ledger;
mod local;
mod nat;
mod ports;
pub mod probe;
pub mod queues;
pub mod sysctl;

#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;

pub use check_device::{CheckDevice, source_towards};
pub use gone::Gone;
pub use ledger::Ledger;
pub use local::local_prefixes;
pub use nat::{Unmet, prepare_for_nat, unmet_for_nat};
pub use ports::{SharedPorts, ports_for_snat, shared_with_host};

/// A change to the host could not be made or taken back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The record of changes could not be read or written.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// A socket could not be opened.
    #[error("cannot open a {kind} socket: {source}")]
    Socket {
        /// Which kind.
        kind: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel would not tell what is there.
    #[error("cannot read {what} from the kernel: {source}")]
    Read {
        /// What was asked for.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// An interface that the configuration names is not there.
    #[error("there is no interface {interface}: correct `interfaces` in the configuration, or create it")]
    NoInterface {
        /// Its name.
        interface: String,
    },
    /// No interface was given to carry the addresses.
    #[error("no interface to add {address} to: name one in `interfaces`")]
    NoInterfaces {
        /// The address that was to be added.
        address: IpAddr,
    },
    /// An address could not be added or removed.
    #[error("cannot {action} {address} on {interface}: {source}")]
    Address {
        /// `add` or `remove`.
        action: &'static str,
        /// The address.
        address: IpAddr,
        /// Name of the interface.
        interface: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// This host uses every port that `fullnat` could.
    #[error(
        "no ports are left beside {ephemeral:?} of net.ipv4.ip_local_port_range: write snat_ports, or make that range smaller"
    )]
    NoPorts {
        /// The sysctl's value.
        ephemeral: String,
    },
    /// The kernel did not tell about a network device, or would not switch something of it.
    #[error("cannot ask about the device {interface}: {source}")]
    Device {
        /// Its name.
        interface: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The device of health checks could not be made or removed.
    #[error("cannot {action} the device {device} of health checks through the data plane: {source}")]
    CheckDevice {
        /// `make`, `remove` or a step of it.
        action: &'static str,
        /// Its name.
        device: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Something about the queues of an interface could not be set.
    #[error("cannot set {setting} of {interface} to {value}: {source}{}", hint(.setting, .source))]
    Queues {
        /// Name of the interface.
        interface: String,
        /// What was to be set.
        setting: String,
        /// The value.
        value: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A sysctl could not be read or set.
    #[error("cannot {action} /proc/sys/{path}: {source}")]
    Sysctl {
        /// `read`, or `set to` and the value.
        action: String,
        /// The sysctl, as a path below /proc/sys.
        path: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// What to do about queues that could not be set.
fn hint(setting: &str, source: &io::Error) -> &'static str {
    let refuses = matches!(source.raw_os_error(), Some(libc::EINVAL | libc::EBUSY));
    if refuses && setting != queues::INTERRUPT {
        "; many drivers refuse while an XDP program is there: run `lightpath detach`, and start again"
    } else {
        ""
    }
}

/// Takes back all that the ledger lists. What fails stays in it and is returned, one error for each item.
///
/// Works in the network namespace of the calling thread and on the current tokio runtime.
#[must_use = "what could not be taken back is still there"]
pub async fn undo(ledger: &mut Ledger) -> Vec<Error> {
    let mut failures = addresses::remove_all(ledger).await;
    failures.extend(queues::restore_all(ledger));
    failures.extend(sysctl::restore_all(ledger));
    failures
}
