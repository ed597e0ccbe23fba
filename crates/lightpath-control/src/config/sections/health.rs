//! `[service.health]`: which keys there are depends on the type of check.

use std::net::IpAddr;
use std::time::Duration;

use crate::config::diagnostic::Complaint;
use crate::config::keys;
use crate::config::reader::{Given, Located, TableReader};
use crate::config::values;
use crate::config::values::health as health_values;
use crate::model::{
    Check, DnsCheck, Health, HttpCheck, Method, OnDown, Record, Statuses, Tls, Trust, UdpCheck, Via,
};

const INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(1));
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_hours(1));
const SPANS: (Duration, Duration) = (Duration::ZERO, Duration::from_hours(1));

const INTERVAL: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(1);
const RISE: u8 = 2;
const FALL: u8 = 3;

const NAMES: [(&str, &str); 9] = [
    ("tcp", "tcp"),
    ("http", "http"),
    ("https", "https"),
    ("grpc", "grpc"),
    ("grpcs", "grpcs"),
    ("dns", "dns"),
    ("udp", "udp"),
    ("icmp", "icmp"),
    ("none", "none"),
];

/// The checks of a service; `None` inside when its type is `none`.
#[expect(
    clippy::option_option,
    reason = "the outer one is whether it could be read, as everywhere in this folder"
)]
pub(super) fn health(table: &TableReader<'_>) -> Option<Option<Health>> {
    table.refuse_other_keys(&keys::HEALTH);
    let kind = table.required(&keys::HEALTH_TYPE, values::one_of(&NAMES))?.value;
    refuse_keys_of_other_types(table, kind);
    if kind == "none" {
        return Some(None);
    }
    let check = check(table, kind);
    let (interval, timeout) = times(table);
    let ways = [("direct", Via::Direct), ("datapath", Via::Datapath)];
    let via = table.or_default(&keys::VIA, Via::Direct, values::one_of(&ways));
    let on_downs = [("move", OnDown::Move), ("keep", OnDown::Keep)];
    let port = table.or_default(&keys::HEALTH_PORT, None, |given| values::port(given).map(Some));
    let rise = table.or_default(&keys::RISE, RISE, values::number(1..=u8::MAX));
    let fall = table.or_default(&keys::FALL, FALL, values::number(1..=u8::MAX));
    let on_down = table.or_default(&keys::ON_DOWN, OnDown::Move, values::one_of(&on_downs));
    let slow_start = table.or_default(&keys::SLOW_START, Duration::ZERO, health_values::time(SPANS));
    let hold_down = table.or_default(&keys::HOLD_DOWN, Duration::ZERO, health_values::time(SPANS));
    let panic_threshold = table.or_default(&keys::PANIC_THRESHOLD, 0, health_values::percentage);
    Some(Some(Health {
        check: check?,
        via: via?.value,
        port: port?.value.filter(|_| kind != "icmp"),
        interval: interval?,
        timeout: timeout?,
        rise: rise?.value.into(),
        fall: fall?.value.into(),
        on_down: on_down?.value,
        slow_start: slow_start?.value,
        hold_down: hold_down?.value,
        panic_threshold: panic_threshold?.value,
    }))
}

fn refuse_keys_of_other_types(table: &TableReader<'_>, kind: &str) {
    if kind == "none" {
        for key in keys::HEALTH.keys.iter().filter(|key| key.name != keys::HEALTH_TYPE.name) {
            table.refuse(key, "type = \"none\" checks nothing", "remove it, or write another type");
        }
        return;
    }
    for (key, kinds) in keys::OF_TYPES.iter().filter(|(_, kinds)| !kinds.contains(&kind)) {
        let kinds: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
        let problem = format!("checks of type \"{kind}\" do not have this key");
        table.refuse(key, &problem, &format!("remove it, or write type = {}", kinds.join(" or ")));
    }
}

/// Interval and timeout, which must fit in it: checks of one backend do not overlap.
fn times(table: &TableReader<'_>) -> (Option<Duration>, Option<Duration>) {
    let interval = table.or_default(&keys::INTERVAL, INTERVAL, health_values::time(INTERVALS));
    let Some(Located { value: interval, .. }) = interval else {
        table.or_default(&keys::TIMEOUT, TIMEOUT, health_values::time(TIMEOUTS));
        return (None, None);
    };
    let within = |given: &Given<'_>| {
        let timeout = health_values::time(TIMEOUTS)(given)?;
        if timeout > interval {
            let problem = format!("is longer than the interval, {}", health_values::Written(interval));
            return Err(given.refused_with(&problem, "write a shorter time, or a longer interval"));
        }
        Ok(timeout)
    };
    let timeout = table.or_default(&keys::TIMEOUT, TIMEOUT.min(interval), within);
    (Some(interval), timeout.map(|timeout| timeout.value))
}

fn check(table: &TableReader<'_>, kind: &str) -> Option<Check> {
    Some(match kind {
        "http" => Check::Http(http(table)?),
        "https" => {
            let (request, tls) = (http(table), tls(table));
            Check::Https(request?, tls?)
        }
        "grpc" => Check::Grpc(grpc(table)?),
        "grpcs" => {
            let (service, tls) = (grpc(table), tls(table));
            Check::Grpcs(service?, tls?)
        }
        "dns" => Check::Dns(dns(table)?),
        "udp" => Check::Udp(udp(table)?),
        "icmp" => Check::Icmp,
        _ => Check::Tcp,
    })
}

fn http(table: &TableReader<'_>) -> Option<HttpCheck> {
    let methods = [("GET", Method::Get), ("HEAD", Method::Head)];
    let method = table.or_default(&keys::METHOD, Method::Get, values::one_of(&methods));
    let path = table.or_default(&keys::PATH, "/".to_owned(), health_values::path);
    let host = table.or_default(&keys::HOST, None, |given| health_values::host(given).map(Some));
    let status = table.one_or_list(&keys::STATUS, 200..=399, health_values::statuses);
    let body = table.or_default(&keys::BODY, None, |given| health_values::words(given).map(Some));
    if method.is_some_and(|method| method.value == Method::Head) {
        table.refuse(&keys::BODY, "an answer to HEAD has no body", "remove it, or write method = \"GET\"");
    }
    let status = status?.into_iter().map(|range| range.value).collect();
    Some(HttpCheck {
        method: method?.value,
        path: path?.value,
        host: host?.value,
        status: Statuses::new(status)?,
        body: body?.value,
    })
}

fn tls(table: &TableReader<'_>) -> Option<Tls> {
    let name = table.or_default(&keys::TLS_NAME, None, |given| health_values::server_name(given).map(Some));
    let ca = table.or_default(&keys::CA, None, |given| values::file(given).map(Some));
    let verify = table.or_default(&keys::VERIFY, true, health_values::truth);
    if verify.is_some_and(|verify| !verify.value) {
        let problem = "verify = false takes certificates of anybody";
        table.refuse(&keys::CA, problem, "remove one of them");
    }
    let trust = match (ca?.value, verify?.value) {
        (_, false) => Trust::Anybody,
        (Some(file), true) => Trust::File(file),
        (None, true) => Trust::Host,
    };
    Some(Tls { server_name: name?.value, trust })
}

fn grpc(table: &TableReader<'_>) -> Option<String> {
    Some(table.or_default(&keys::GRPC_SERVICE, String::new(), health_values::words)?.value)
}

fn dns(table: &TableReader<'_>) -> Option<DnsCheck> {
    let records =
        [Record::A, Record::Aaaa, Record::Soa, Record::Ns, Record::Txt].map(|record| (record.name(), record));
    let name = table.required(&keys::DNS_NAME, health_values::domain);
    let record = table.or_default(&keys::RECORD, Record::A, values::one_of(&records));
    let expect = table.or_default(&keys::EXPECT, None, |given| match record {
        Some(record) => address_in(record.value, given).map(Some),
        None => Ok(None),
    });
    Some(DnsCheck { name: name?.value, record: record?.value, expect: expect?.value })
}

/// An address that a record of this type holds.
fn address_in(record: Record, given: &Given<'_>) -> Result<IpAddr, Complaint> {
    let Ok(address) = given.string()?.parse::<IpAddr>() else {
        return Err(given.refused_with("is not an address", "write the address that must be in the answer"));
    };
    let holder = if address.is_ipv4() { Record::A } else { Record::Aaaa };
    if record == holder {
        return Ok(address);
    }
    let problem = format!("cannot be in a record of type {record}");
    Err(given.refused_with(&problem, format!("write record = \"{holder}\", or remove it")))
}

fn udp(table: &TableReader<'_>) -> Option<UdpCheck> {
    let send = table.required(&keys::SEND, health_values::payload);
    let expect = table.or_default(&keys::EXPECT, None, |given| health_values::payload(given).map(Some));
    Some(UdpCheck { send: send?.value, expect: expect?.value })
}
