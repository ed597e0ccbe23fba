//! Which packets are wanted, as the data plane knows them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use axum::http::StatusCode;
use ipnet::IpNet;
use lightpath_abi::{Address, BackendNumber, CaptureFilter, Ending, MAX_SNAPLEN, Sample};
use lightpath_control::overrides::Endpoint;
use lightpath_core::Reason;

use super::names::Names;
use crate::cli::Wanted;
use crate::problem::Problem;

/// What the data plane looks for, and what is looked for in what it hands over.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    in_kernel: CaptureFilter,
    /// An endpoint may have several numbers, one behind each service.
    backends: Option<BTreeSet<BackendNumber>>,
}

impl Filter {
    pub(super) fn of(wanted: &Wanted, names: &Names) -> Result<Self, Problem> {
        let mut in_kernel = CaptureFilter {
            every: wanted.every.max(1),
            snaplen: wanted.snaplen.clamp(1, MAX_SNAPLEN),
            endings: bits(&wanted.verdicts, "verdict", &Ending::ALL.map(Ending::name))?,
            reasons: bits(&wanted.reasons, "reason", &Reason::ALL.map(Reason::name))?,
            ..CaptureFilter::default()
        };
        if in_kernel.endings == 0 {
            in_kernel.endings = !(1 << Ending::Passed as u8);
        }
        if let Some(name) = &wanted.service {
            let found = names.services.iter().find(|(_, known)| *known == name);
            let unknown = || Problem::new(StatusCode::NOT_FOUND, format!("no service is called {name}"));
            in_kernel.service = *found.ok_or_else(unknown)?.0;
        }
        if let Some(client) = &wanted.client {
            let (prefix, port) = client_of(client)?;
            (in_kernel.client, in_kernel.client_mask) = (prefix.addr().into(), mask(prefix));
            in_kernel.client_port = port;
        }
        let backends = wanted.backend.as_deref().map(|text| backends_of(text, names)).transpose()?;
        if let Some(only) = backends.as_ref().filter(|backends| backends.len() == 1) {
            in_kernel.backend = only.first().copied().unwrap_or(0);
        }
        Ok(Self { in_kernel, backends })
    }

    pub(super) fn in_kernel(&self) -> &CaptureFilter {
        &self.in_kernel
    }

    /// Whether a packet that was handed over is wanted.
    pub(super) fn wants(&self, sample: &Sample) -> bool {
        self.backends.as_ref().is_none_or(|backends| backends.contains(&sample.backend))
    }
}

/// A bit for each of some names; 0 for none.
fn bits(wanted: &[String], what: &str, names: &[&str]) -> Result<u32, Problem> {
    let bit = |name: &String| {
        let position = names.iter().position(|known| known == name);
        position
            .map(|position| 1 << position)
            .ok_or_else(|| invalid(format!("{name:?} is no {what}; there are {}", names.join(", "))))
    };
    wanted.iter().map(bit).try_fold(0, |bits, bit| Ok(bits | bit?))
}

/// A prefix, and a port or 0.
fn client_of(text: &str) -> Result<(IpNet, u16), Problem> {
    if let Ok(prefix) = text.parse::<IpNet>() {
        return Ok((prefix.trunc(), 0));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok((address.into(), 0));
    }
    match text.parse::<SocketAddr>() {
        Ok(socket) if socket.port() > 0 => Ok((socket.ip().into(), socket.port())),
        _ => Err(invalid(format!(
            "{text:?} is no client: write an address, a prefix, or an address and port, as 192.0.2.0/24, 192.0.2.7:40000 or \
             [2001:db8::7]:40000"
        ))),
    }
}

/// The bits of an address that a prefix fixes. All 96 before an IPv4 address count, or it would be met in IPv6 too.
fn mask(prefix: IpNet) -> Address {
    let length = u32::from(prefix.prefix_len()) + if prefix.addr().is_ipv4() { 96 } else { 0 };
    let ones = |count: u32| u64::MAX.checked_shl(64 - count.min(64)).unwrap_or(0);
    Address { high: ones(length), low: ones(length.saturating_sub(64)) }
}

/// The numbers of a backend.
fn backends_of(text: &str, names: &Names) -> Result<BTreeSet<BackendNumber>, Problem> {
    let endpoint: Endpoint = text.parse().map_err(|error| invalid(format!("{error}")))?;
    let is_it = |known: &Endpoint| {
        known.address == endpoint.address && (endpoint.port.is_none() || known.port == endpoint.port)
    };
    let numbers: BTreeSet<BackendNumber> =
        names.backends.iter().filter(|(_, known)| is_it(known)).map(|(number, _)| *number).collect();
    if numbers.is_empty() {
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("no service has a backend {endpoint}")));
    }
    Ok(numbers)
}

fn invalid(detail: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(wanted: &Wanted) -> Result<CaptureFilter, String> {
        let mut names = Names::default();
        names.services.insert(3, "web".into());
        for (number, port) in [(7, 80), (8, 81)] {
            names.backends.insert(number, Endpoint { address: [10, 0, 0, 1].into(), port: Some(port) });
        }
        Filter::of(wanted, &names).map(|filter| filter.in_kernel).map_err(|problem| problem.detail)
    }

    #[test]
    fn a_client_is_an_address_a_prefix_or_one_end_of_a_flow() {
        let client = |text: &str| filter(&Wanted { client: Some(text.into()), ..Wanted::default() });
        let v4 = |high, low| Address { high, low };
        for (text, mask, port) in [
            ("192.0.2.7", v4(!0, !0), 0),
            ("192.0.2.0/24", v4(!0, !0xff), 0),
            ("0.0.0.0/0", v4(!0, !0xffff_ffff), 0),
            ("192.0.2.7:40000", v4(!0, !0), 40_000),
            ("2001:db8::/32", v4(0xffff_ffff_0000_0000, 0), 0),
            ("2001:db8::/96", v4(!0, !0xffff_ffff), 0),
            ("[2001:db8::7]:40000", v4(!0, !0), 40_000),
        ] {
            let filter = client(text).unwrap();
            assert_eq!((filter.client_mask, filter.client_port), (mask, port), "{text}");
        }
        for text in ["", "web", "192.0.2.7:0", "192.0.2.7:70000", "192.0.2.0/33"] {
            assert!(client(text).unwrap_err().contains("is no client"), "{text}");
        }
    }

    #[test]
    fn names_become_numbers_and_what_is_unknown_is_refused() {
        let wanted =
            Wanted { service: Some("web".into()), backend: Some("10.0.0.1:81".into()), ..Wanted::default() };
        let numbers = filter(&wanted).map(|filter| (filter.service, filter.backend));
        assert_eq!(numbers, Ok((3, 8)));
        let both = Wanted { backend: Some("10.0.0.1".into()), ..Wanted::default() };
        assert_eq!(filter(&both).map(|filter| filter.backend), Ok(0), "told apart later");

        let verdicts = Wanted { verdicts: vec!["dropped".into(), "passed".into()], ..Wanted::default() };
        assert_eq!(filter(&verdicts).map(|filter| filter.endings), Ok(0b11));
        assert_eq!(filter(&Wanted::default()).map(|filter| filter.endings & 0b11), Ok(0b10));
        let reasons = Wanted { reasons: vec!["ttl-expired".into()], ..Wanted::default() };
        assert_eq!(filter(&reasons).map(|filter| filter.reasons), Ok(1 << Reason::TtlExpired as u32));

        for (wanted, complaint) in [
            (Wanted { service: Some("mail".into()), ..Wanted::default() }, "no service is called mail"),
            (
                Wanted { backend: Some("10.0.0.2".into()), ..Wanted::default() },
                "no service has a backend 10.0.0.2",
            ),
            (Wanted { reasons: vec!["bad".into()], ..Wanted::default() }, "\"bad\" is no reason; there are"),
        ] {
            let refused = filter(&wanted).unwrap_err();
            assert!(refused.contains(complaint), "{refused}");
        }
    }
}
