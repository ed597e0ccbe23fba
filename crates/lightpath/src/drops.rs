//! Why packets are dropped: what each reason means to an operator, and what to do about it.

mod example;
mod reference;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;

use lightpath_core::Reason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::status::Status;

pub(crate) use example::{Example, Header};
pub(crate) use reference::markdown as reference;

/// What was dropped: the shape of `/v1/drops` and `drops --json`, whose names are stable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "`drops` is what it is called in JSON")]
pub(crate) struct Drops {
    /// The reasons, those of the most packets first.
    pub(crate) drops: Vec<Dropped>,
    /// How long it was looked for examples just now, in seconds.
    pub(crate) looked_seconds: f64,
    /// Why it was looked for none, or for less time than was asked for.
    pub(crate) not_looked: Option<String>,
}

/// A reason that packets were dropped for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Dropped {
    /// Its name, as in metrics.
    #[schema(value_type = String)]
    pub(crate) reason: Cow<'static, str>,
    /// Packets dropped for it since the maps were made.
    pub(crate) count: u64,
    /// How many in a second, lately.
    pub(crate) per_second: f64,
    /// What it means.
    #[schema(value_type = String)]
    pub(crate) meaning: Cow<'static, str>,
    /// What to do about it.
    #[schema(value_type = String)]
    pub(crate) remedy: Cow<'static, str>,
    /// The latest of them that was seen while somebody looked for examples.
    pub(crate) example: Option<Example>,
}

impl Dropped {
    /// The reasons that packets were dropped for, those of the most packets first.
    pub(crate) fn all(status: &Status) -> Vec<Self> {
        let of = |reason: Reason| {
            let (meaning, remedy) = advice(reason);
            let count = *status.drops.get(reason.name())?;
            let per_second = status.drops_per_second.get(reason.name()).copied().unwrap_or(0.0);
            Some(Self {
                reason: reason.name().into(),
                count,
                per_second,
                meaning: meaning.into(),
                remedy: remedy.into(),
                example: status.drop_examples.get(reason.name()).cloned(),
            })
        };
        let mut all: Vec<Self> = Reason::ALL.into_iter().filter_map(of).collect();
        all.sort_by_key(|dropped| Reverse(dropped.count));
        all
    }
}

impl fmt::Display for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.drops.is_empty() {
            return writeln!(f, "Nothing dropped.");
        }
        for (index, dropped) in self.drops.iter().enumerate() {
            write!(f, "{}{dropped}", if index == 0 { "" } else { "\n" })?;
            if dropped.example.is_none() && self.looked_seconds > 0.0 {
                let looked = self.looked_seconds;
                paragraph(
                    f,
                    &format!("No example: none was dropped in the {looked:.1} s that it was looked for."),
                )?;
            }
        }
        self.not_looked.iter().try_for_each(|why| writeln!(f, "\nNot looked for examples: {why}."))
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, count, per_second, meaning, remedy, example } = self;
        writeln!(f, "{reason}: {count} packets, {per_second:.0}/s")?;
        paragraph(f, meaning)?;
        paragraph(f, remedy)?;
        example.iter().try_for_each(|example| paragraph(f, &format!("Example: {example}.")))
    }
}

/// A text in lines that fit a terminal, indented.
fn paragraph(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    const WIDTH: usize = 78;
    let mut line = String::from(" ");
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            writeln!(f, "{line}")?;
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(f, "{line}")
}

/// What a reason means, and what to do about it.
pub(crate) const fn advice(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::IpHeader => (
            "The IP header of a packet to a VIP is cut short or contradicts itself.",
            "A few are noise of the Internet, or somebody who tries you out. Many from clients that you know: look for a broken \
             NIC, cable or tunnel on their way.",
        ),
        Reason::IpLength => (
            "The IP length of a packet to a VIP says more than the frame carries, or less than its headers take.",
            "Packets are cut or corrupted on their way. Compare MTUs along it, and see `ip -s link` for errors of the interface.",
        ),
        Reason::TransportHeader => (
            "The TCP or UDP header is cut short or contradicts the IP length, or it is UDP over IPv6 without a checksum, which \
             RFC 8200 does not allow here.",
            "As with ip-header. If a program of yours sends UDP over IPv6 without checksums, have it compute them.",
        ),
        Reason::ExtensionHeader => (
            "The IPv6 extension headers of a packet to a VIP cannot be walked past, or there are more than six of them.",
            "Nothing honest sends so many. If a client of yours does, it has to stop.",
        ),
        Reason::Fragment => (
            "A fragment came whose datagram's first fragment was not seen, and only that one has the ports that say where it \
             belongs. The first may have been lost, come later, or come to another node.",
            "Where several nodes share the VIP, have the router hash fragments by addresses only. Better, avoid fragments: lower \
             the size of datagrams (for DNS, 1232 bytes of EDNS).",
        ),
        Reason::TtlExpired => (
            "The TTL or hop limit allows no further hop.",
            "Single ones are traceroute. Many mean that packets go in circles: see that no backend or router sends packets to the \
             VIP back to this host.",
        ),
        Reason::NoBackend => (
            "No backend of the service takes new flows. With `when_empty = \"reject\"` the client was told so.",
            "`lightpath status` says of each backend why: checks that fail, next hops that are not known, weights of 0. \
             `panic_threshold` has the service use backends that fail rather than none.",
        ),
        Reason::StaleSlot => (
            "A packet came just while its slot was changed, and met a backend that had left.",
            "Nothing, for one or two after a change: clients send again. If the count goes on rising, it is a bug: please report it \
             with `lightpath status --json`.",
        ),
        Reason::NoNextHop => (
            "The way to the packet's backend was lost, and nobody had noticed yet.",
            "`lightpath status` shows the backend as unresolved once it is known, and why; `ip neigh` and `ip route get` on this \
             host show the same.",
        ),
        Reason::NoRoute => (
            "A backend replied, and this host's routes forbid to send that on to the client: blackhole, unreachable or prohibit.",
            "Ask the kernel: `ip route get CLIENT from VIP iif INTERFACE`.",
        ),
        Reason::TooBig => (
            "The packet does not fit the way to its backend, a tunnel's header included, or to the client, and must not be cut. Its \
             sender was told how big it may be (ICMP).",
            "A few are path MTU discovery at work. Many from the same client: something on the way to it swallows ICMP. Give backends \
             behind tunnels a larger MTU on this host's side, or lower the MSS that they offer: `ip route change … advmss 1400`.",
        ),
        Reason::ForwardingOff => (
            "This host does not forward packets, so the replies of backends cannot leave it.",
            "Somebody has switched off what the daemon switched on. `sysctl -w net.ipv4.ip_forward=1`, for IPv6 \
             `net.ipv6.conf.all.forwarding=1`; `lightpath doctor --fix` does it.",
        ),
        Reason::Rewrite => (
            "A packet's headers could be read and not be rewritten.",
            "This does not happen to packets that are in memory as they arrived: please report it, with the driver's name from \
             `ethtool -i INTERFACE`.",
        ),
        Reason::NoService => (
            "No service is at this port of the VIP, and the VIP is no address of this host, so that its kernel could not answer either.",
            "Port scans, mostly. If a client of yours is meant: compare the port and the protocol with `lightpath status`.",
        ),
        Reason::NoSource => (
            "A tunnel or `fullnat` needs an address of this host of the backend's IP version, and there is none.",
            "Give the host such an address on its way to the backend, or name some in `tunnel_sources` or `snat_addresses`.",
        ),
        Reason::PortsExhausted => (
            "Every port that was tried for a new flow of `fullnat` to its backend is in use, or as many flows are known as there is \
             room for.",
            "Give more `snat_addresses` or a wider range of `snat_ports`; more backends help too, for ports are taken by backend. \
             `lightpath status` says how many flows there are.",
        ),
        Reason::NoSession => (
            "A packet came to a `fullnat` service in the middle of a connection that is not known: it was silent for too long, or its \
             backend is gone, or it began at another node.",
            "Shorten the keep-alive of long silent connections below 15 minutes. Where several nodes share the VIP, flows of `fullnat` \
             have to stay with their node: see that the router's hashing does not change.",
        ),
        Reason::Untranslatable => (
            "The backend has the other version of IP, in which this packet cannot be written: it has options or extension headers, \
             no checksum, or is a fragment.",
            "A few are noise. For datagrams that have to be large, give the service backends of the client's version of IP.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_meaning_and_a_remedy_of_its_own() {
        let mut texts = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            let (meaning, remedy) = advice(reason);
            for text in [meaning, remedy] {
                assert!(text.ends_with('.') && !text.contains("  ") && !text.contains('\n'), "{text}");
                assert!(texts.insert(text), "{} says what another does: {text}", reason.name());
            }
        }
    }

    fn too_big(example: Option<Example>) -> Dropped {
        let (meaning, remedy) = advice(Reason::TooBig);
        let (meaning, remedy) = (meaning.into(), remedy.into());
        Dropped { reason: "too-big".into(), count: 1, per_second: 0.0, meaning, remedy, example }
    }

    #[test]
    fn a_text_fits_a_terminal() {
        let dropped = too_big(Some(example::tests::example()));
        let text = dropped.to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let Dropped { meaning, remedy, example, .. } = dropped;
        let words = format!("{meaning} {remedy} Example: {}", example.unwrap());
        assert_eq!(text.split_whitespace().count(), 4 + words.split(' ').count());
    }

    #[test]
    fn it_is_said_why_there_is_no_example() {
        let drops = |example, looked_seconds, not_looked: Option<&str>| {
            let not_looked = not_looked.map(str::to_owned);
            Drops { drops: vec![too_big(example)], looked_seconds, not_looked }.to_string()
        };
        let found = drops(Some(example::tests::example()), 0.1, None);
        assert!(found.contains("  Example: 2023-11-14 22:13:20.250 UTC by eth0: tcp SYN"), "{found}");
        let none = drops(None, 1.5, None);
        assert!(
            none.ends_with("  No example: none was dropped in the 1.5 s that it was looked for.\n"),
            "{none}"
        );
        let busy = drops(None, 0.0, Some("somebody captures packets"));
        assert!(busy.ends_with("\n\nNot looked for examples: somebody captures packets.\n"), "{busy}");
        assert!(!busy.contains("No example:") && !drops(None, 0.0, None).contains("xample"), "{busy}");
        let nothing = Drops { drops: Vec::new(), looked_seconds: 0.0, not_looked: None };
        assert_eq!(nothing.to_string(), "Nothing dropped.\n");
    }

    #[test]
    fn what_the_daemon_says_is_what_the_command_reads() {
        let drops = Drops {
            drops: vec![too_big(Some(example::tests::example())), too_big(None)],
            looked_seconds: 0.5,
            not_looked: None,
        };
        let json = serde_json::to_string(&drops).unwrap();
        assert_eq!(serde_json::from_str::<Drops>(&json).unwrap(), drops);
    }
}
