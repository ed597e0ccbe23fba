//! DNS over UDP (RFC 1035): a question is answered with a record of the type that was asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::time::{Instant, timeout_at};

use super::cause::Cause;
use super::peer::Peer;
use super::udp::{self, LARGEST_ANSWER};
use crate::model::{DnsCheck, Record};

/// Bytes of a header, and of the smallest record (RFC 1035, sections 4.1.1 and 4.1.3).
const HEADER: usize = 12;
const SMALLEST_RECORD: usize = 11;

/// Asks. Answers to other questions are passed over, because anybody may send them (RFC 5452, section 9.1), and are the cause
/// only when none to this one comes until the deadline.
pub(super) async fn check(check: &DnsCheck, to: &Peer, deadline: Instant) -> Result<(), Cause> {
    let socket = udp::connect(to).await?;
    let id = fastrand::u16(..);
    let question = question(check)?;
    let mut query = Packet::new_query(id);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    query.questions.push(question.clone());
    let query = query.build_bytes_vec().map_err(|error| Cause::Local(error.to_string()))?;
    socket.send(&query).await.map_err(udp::unanswered)?;
    let mut stray = None;
    let mut answer = [0; LARGEST_ANSWER];
    loop {
        let length = match (timeout_at(deadline, socket.recv(&mut answer)).await, stray) {
            (Ok(received), _) => received.map_err(udp::unanswered)?,
            (Err(_), Some(stray)) => return Err(stray),
            // Whoever set the deadline says so.
            (Err(_), None) => std::future::pending().await,
        };
        match judge(&answer[..length], id, &question, check) {
            Err(cause @ Cause::OtherQuestion(_)) => stray = Some(cause),
            outcome => return outcome,
        }
    }
}

fn question(check: &DnsCheck) -> Result<Question<'_>, Cause> {
    let name = Name::new(&check.name).map_err(|error| Cause::Local(error.to_string()))?;
    Ok(Question::new(name, QTYPE::TYPE(kind(check.record)), QCLASS::CLASS(CLASS::IN), false))
}

fn kind(record: Record) -> TYPE {
    match record {
        Record::A => TYPE::A,
        Record::Aaaa => TYPE::AAAA,
        Record::Soa => TYPE::SOA,
        Record::Ns => TYPE::NS,
        Record::Txt => TYPE::TXT,
    }
}

fn judge(answer: &[u8], id: u16, question: &Question<'_>, check: &DnsCheck) -> Result<(), Cause> {
    let malformed = |problem: String| Cause::Malformed { protocol: "DNS", problem };
    // Whoever reads the records makes room for as many as there are said to be.
    if answer.len() < HEADER || records(answer) * SMALLEST_RECORD > answer.len() - HEADER {
        return Err(malformed(format!("{} bytes hold no such message", answer.len())));
    }
    let answer = Packet::parse(answer).map_err(|error| malformed(error.to_string()))?;
    if answer.id() != id {
        return Err(Cause::OtherQuestion("it has another ID"));
    }
    if !answer.has_flags(PacketFlag::RESPONSE) {
        return Err(Cause::OtherQuestion("it is a question itself"));
    }
    // A server that does not understand a question need not repeat it.
    let repeated = answer.questions.iter().any(|other| is_same(other, question));
    if !repeated && (answer.rcode() == RCODE::NoError || !answer.questions.is_empty()) {
        return Err(Cause::OtherQuestion("it repeats another name or type"));
    }
    if answer.rcode() != RCODE::NoError {
        return Err(Cause::DnsError(words(answer.rcode())));
    }
    let is_good = |data: &RData<'_>| {
        let address: Option<IpAddr> = match data {
            RData::A(a) => Some(Ipv4Addr::from_bits(a.address).into()),
            RData::AAAA(aaaa) => Some(Ipv6Addr::from_bits(aaaa.address).into()),
            _ => None,
        };
        data.type_code() == kind(check.record) && (check.expect.is_none() || check.expect == address)
    };
    if answer.answers.iter().any(|record| is_good(&record.rdata)) {
        return Ok(());
    }
    Err(Cause::NoRecord { record: check.record, expect: check.expect })
}

/// How many records a message says it has, in all its sections.
fn records(answer: &[u8]) -> usize {
    let counts = answer[HEADER - 6..HEADER].chunks_exact(2);
    counts.map(|count| usize::from(u16::from_be_bytes([count[0], count[1]]))).sum()
}

fn is_same(one: &Question<'_>, other: &Question<'_>) -> bool {
    one.qname == other.qname && one.qtype == other.qtype
}

/// As name servers' own tools call it (RFC 6895, section 2.3).
fn words(code: RCODE) -> String {
    match code {
        RCODE::FormatError => "FORMERR".to_owned(),
        RCODE::ServerFailure => "SERVFAIL".to_owned(),
        RCODE::NameError => "NXDOMAIN".to_owned(),
        RCODE::NotImplemented => "NOTIMP".to_owned(),
        RCODE::Refused => "REFUSED".to_owned(),
        other => format!("{other:?}"),
    }
}
