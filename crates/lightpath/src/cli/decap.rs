//! Which tunnels `lightpath decap` ends.

use std::net::IpAddr;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

pub(super) const HELP: &str = "\
Everything else that arrives stays the kernel's, untouched: other packets, tunnels that this host ends itself, tunnels to other
hosts. What comes out of a tunnel has to be for an address of this host, so make the VIP one:

  ip address add 203.0.113.10/32 dev lo

A source address can be forged: have your network drop, at its edge, packets that claim to be from inside.

Example:
  lightpath decap --interface eth0 --from 10.0.0.2 --from 2001:db8:0:1::2
  lightpath decap --interface eth0 --from 10.7.0.0/16 --strict --json";

/// Which tunnels end here.
#[derive(Args, Clone, Debug)]
pub(crate) struct Decap {
    /// The interface that tunnels arrive on. It is an instance of its own, named decap-IF.
    // By its id it stands in the place of the instance that other commands take, and of that one's -i.
    #[arg(id = "instance", short, long = "interface", value_name = "IF")]
    interface: String,
    /// Addresses or prefixes that tunnels are accepted from: those that the balancers send from. May be given several times.
    #[arg(long, required = true, value_name = "CIDR", value_parser = source_prefix)]
    pub(crate) from: Vec<IpNet>,
    /// Drop tunnels from anywhere else; without it they are left to the kernel, which may have tunnels of its own.
    #[arg(long)]
    pub(crate) strict: bool,
    /// At the end leave the program on the interface, for the next start to exchange without a gap.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Where the program runs: in the driver (native), in the kernel's generic path, or where it can.
    #[arg(long, value_enum, value_name = "MODE", default_value = "auto")]
    pub(crate) xdp_mode: XdpMode,
}

impl Decap {
    /// The interface that tunnels arrive on.
    pub(crate) fn interface(&self) -> &str {
        &self.interface
    }

    /// The instance that an interface is.
    pub(crate) fn instance(&self) -> String {
        let keep = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        let interface = self.interface.chars().map(|letter| if keep(letter) { letter } else { '-' });
        format!("decap-{}", interface.collect::<String>())
    }
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum XdpMode {
    Auto,
    Native,
    Generic,
}

impl From<XdpMode> for lightpath_dataplane::XdpMode {
    fn from(mode: XdpMode) -> Self {
        match mode {
            XdpMode::Auto => Self::Auto,
            XdpMode::Native => Self::Native,
            XdpMode::Generic => Self::Generic,
        }
    }
}

/// A source of tunnels: an address, or a prefix without bits behind its length.
fn source_prefix(text: &str) -> Result<IpNet, String> {
    let prefix: IpNet = match text.parse::<IpAddr>() {
        Ok(address) => address.into(),
        Err(_) => text.parse().map_err(|_| "write an address or a prefix, as 10.0.0.2 or 10.7.0.0/16")?,
    };
    let network = prefix.trunc();
    if prefix != network {
        return Err(format!(
            "bits are set behind its length: write {network} for the network, or {} for the address",
            prefix.addr()
        ));
    }
    if prefix.addr() != prefix.addr().to_canonical() {
        return Err(format!("write {} as the IPv4 address that it is", prefix.addr()));
    }
    if prefix.prefix_len() == 0 {
        return Err("that is everybody, who could then send packets in this host's name".to_owned());
    }
    Ok(prefix)
}
