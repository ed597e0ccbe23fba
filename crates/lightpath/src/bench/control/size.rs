//! Configurations of a given size.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use crate::bench::balancer::LINK;

/// So many services of so many backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) struct Size {
    pub(super) services: u16,
    /// Of each service.
    pub(super) backends: u16,
    /// Of each service: 10 for a backend at least.
    pub(super) slots: u32,
}

/// Hosts that share the first three numbers of their address.
const IN_A_ROW: u32 = 250;

/// The address of a backend, by its number among all.
pub(super) fn address(number: u32) -> IpAddr {
    let [.., third, fourth] = (number / IN_A_ROW * 256 + number % IN_A_ROW + 1).to_be_bytes();
    Ipv4Addr::new(10, 99, third, fourth).into()
}

impl Size {
    /// The configuration file; the first backend has another weight with each change.
    pub(super) fn file(self, change: u16) -> String {
        let mut text = format!("[node]\ninterfaces = [\"{LINK}\"]\n");
        let mut number = 0;
        for service in 0..self.services {
            let [high, low] = service.to_be_bytes();
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "[[service]]\nname = \"s{service}\"\nvip = \"198.18.{high}.{low}\"\nport = 80\nprotocol = \"tcp\"\n\
                 forward = \"dsr\"\nslots = {}\n",
                self.slots
            );
            for _ in 0..self.backends {
                let _ = writeln!(text, "[[service.backend]]\naddress = \"{}\"", address(number));
                if number == 0 {
                    let _ = writeln!(text, "weight = {}", 100 + change);
                }
                number += 1;
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_have_addresses_of_their_own_that_are_hosts() {
        for (number, expected) in
            [(0, "10.99.0.1"), (249, "10.99.0.250"), (250, "10.99.1.1"), (9_999, "10.99.39.250")]
        {
            assert_eq!(address(number).to_string(), expected);
        }
    }

    #[test]
    fn a_file_is_a_configuration_of_its_size() {
        let size = Size { services: 3, backends: 4, slots: 251 };
        let config = crate::bench::balancer::parsed(&size.file(7)).unwrap();
        assert_eq!(config.services.len(), 3);
        assert!(config.services.iter().all(|service| service.backends.len() == 4));
        assert_eq!(config.services[0].backends[0].weight, 107);
    }
}
