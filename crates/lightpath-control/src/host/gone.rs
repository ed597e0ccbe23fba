//! What the ledger lists of interfaces that are there no longer, and so has undone itself.

use std::path::Path;

use nix::net::if_::if_nametoindex;

use super::ledger::{Address, Error, Ledger, QueueSetting, Sysctl};

/// Entries of the ledger that nothing on this host answers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Addresses whose interface is gone.
    pub addresses: Vec<Address>,
    /// Sysctls whose interface is gone.
    pub sysctls: Vec<Sysctl>,
    /// Settings of queues whose interface is gone.
    pub queues: Vec<QueueSetting>,
}

impl Gone {
    /// Those of a ledger, in the network namespace of the calling thread.
    #[must_use]
    pub fn of(ledger: &Ledger) -> Self {
        let is_no_interface = |name: &str| if_nametoindex(name).is_err();
        let is_gone = |address: &&Address| is_no_interface(&address.interface);
        let has_gone = |sysctl: &&Sysctl| !Path::new("/proc/sys").join(&sysctl.path).exists();
        Self {
            addresses: ledger.addresses().iter().filter(is_gone).cloned().collect(),
            sysctls: ledger.sysctls().iter().filter(has_gone).cloned().collect(),
            queues: ledger.queues().iter().filter(|set| is_no_interface(&set.interface)).cloned().collect(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.sysctls.is_empty() && self.queues.is_empty()
    }

    /// Strikes them from the ledger.
    pub fn strike(&self, ledger: &mut Ledger) -> Result<(), Error> {
        ledger.forget_addresses(&self.addresses)?;
        self.sysctls.iter().try_for_each(|sysctl| ledger.forget_sysctl(&sysctl.path))?;
        self.queues.iter().try_for_each(|setting| ledger.forget_queues(setting))
    }
}
