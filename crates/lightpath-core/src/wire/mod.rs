//! Headers on the wire, one protocol a file.
//!
//! Each is a view of as many bytes as the fixed header has, loaded once; its accessors cannot fail afterwards. A view says
//! what a field holds, not whether the field is to be believed: that is for [`parse`](crate::parse).

pub mod ethernet;
pub mod gue;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod quic;
pub mod tcp;
pub mod udp;

/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;
/// IP protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IP protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;
/// IP protocol number of IPv4 in IP.
pub const IPIP: u8 = 4;
/// IP protocol number of IPv6 in IP.
pub const IPV6_IN_IP: u8 = 41;
