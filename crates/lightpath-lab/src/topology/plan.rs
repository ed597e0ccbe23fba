//! The address plan: three networks from the ranges reserved for documentation (RFC 5737, RFC 3849) and private use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The segment of router, balancer and backends: 10.0.0.0/24 and 2001:db8:0:1::/64.
pub const SERVICE: Network = Network::new([10, 0, 0], 1);
/// The clients' network: 198.51.100.0/24 and 2001:db8:0:c::/64.
pub const CLIENTS: Network = Network::new([198, 51, 100], 0xc);
/// Where VIPs are taken from: 203.0.113.0/24 and 2001:db8:0:f::/64.
pub const VIPS: Network = Network::new([203, 0, 113], 0xf);

/// The router, on each network that it is on.
pub const ROUTER: u8 = 1;
/// The balancer's host number on [`SERVICE`].
pub const BALANCER: u8 = 2;
/// The client's host number on [`CLIENTS`].
pub const CLIENT: u8 = 10;
/// Further addresses of the client, for scenes that need many sources.
pub const MORE_CLIENTS: RangeInclusive<u8> = 20..=219;
/// The first backend's host number on [`SERVICE`]; the others follow.
pub const FIRST_BACKEND: u8 = 11;

/// A network in both families, whose hosts have the same digits in both: number 11 is `10.0.0.11` and `2001:db8:0:1::11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The IPv4 prefix, a /24.
    pub v4: Ipv4Net,
    /// The IPv6 prefix, a /64.
    pub v6: Ipv6Net,
}

impl Network {
    const fn new(v4: [u8; 3], v6: u16) -> Self {
        Self {
            v4: Ipv4Net::new_assert(Ipv4Addr::new(v4[0], v4[1], v4[2], 0), 24),
            v6: Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, 0, v6, 0, 0, 0, 0), 64),
        }
    }

    /// The addresses of host `number`.
    #[must_use]
    pub fn host(&self, number: u8) -> Addresses {
        let [a, b, c, _] = self.v4.addr().octets();
        let mut segments = self.v6.addr().segments();
        segments[7] = decimal_digits(number);
        Addresses { v4: Ipv4Addr::new(a, b, c, number), v6: segments.into() }
    }

    /// The addresses of host `number` with the networks' prefix lengths, as a link gets them.
    #[must_use]
    pub fn interface(&self, number: u8) -> [IpNet; 2] {
        let host = self.host(number);
        [
            IpNet::new_assert(host.v4.into(), self.v4.prefix_len()),
            IpNet::new_assert(host.v6.into(), self.v6.prefix_len()),
        ]
    }

    /// Both prefixes.
    #[must_use]
    pub fn prefixes(&self) -> [IpNet; 2] {
        [self.v4.into(), self.v6.into()]
    }
}

/// An address in each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Addresses {
    /// In IPv4.
    pub v4: Ipv4Addr,
    /// In IPv6.
    pub v6: Ipv6Addr,
}

impl Addresses {
    /// Both, IPv4 first.
    #[must_use]
    pub fn each(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }
}

/// The number whose hexadecimal digits are the decimal digits of `number`: 219 becomes 0x219.
fn decimal_digits(number: u8) -> u16 {
    let number = u16::from(number);
    number / 100 * 0x100 + number / 10 % 10 * 0x10 + number % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_the_same_digits_in_both_families() {
        for number in [0, 1, 9, 10, 11, 99, 100, 219, 255] {
            let host = CLIENTS.host(number);
            assert_eq!(host.v4.to_string(), format!("198.51.100.{number}"));
            let v6 = if number == 0 { String::new() } else { number.to_string() };
            assert_eq!(host.v6.to_string(), format!("2001:db8:0:c::{v6}"));
        }
    }
}
