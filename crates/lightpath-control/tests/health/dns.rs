//! DNS, of name servers that answer, err, and lie.

use std::net::{Ipv4Addr, SocketAddr};

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, RCODE, ResourceRecord};

use super::{servers, words};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

/// A name server whose good answer `spoil` may change before it is sent.
fn name_server(spoil: impl Fn(&mut Packet<'_>) + Send + 'static) -> SocketAddr {
    servers::udp(move |query| {
        let query = Packet::parse(query).unwrap();
        let mut answer = Packet::new_reply(query.id());
        answer.questions.clone_from(&query.questions);
        let name = query.questions[0].qname.clone();
        let address = RData::A(A { address: ADDRESS.to_bits() });
        answer.answers.push(ResourceRecord::new(name, CLASS::IN, 60, address));
        spoil(&mut answer);
        vec![answer.build_bytes_vec().unwrap()]
    })
}

fn ask(server: SocketAddr, more: &[&str]) -> String {
    let lines = ["type = \"dns\"", "name = \"www.example.com\"", "timeout = \"300ms\""];
    words(&[&lines, more].concat(), server)
}

#[test]
fn a_record_of_the_type_is_enough_unless_an_address_is_expected() {
    let server = name_server(|_| {});
    assert_eq!(ask(server, &[]), "");
    assert_eq!(ask(server, &["expect = \"192.0.2.7\""]), "");
    assert_eq!(ask(server, &["expect = \"192.0.2.8\""]), "the answer has no A record of 192.0.2.8");
    assert_eq!(ask(server, &["record = \"AAAA\""]), "the answer has no AAAA record");
    let other_case = name_server(|answer| answer.questions[0].qname = Name::new("WWW.Example.COM").unwrap());
    assert_eq!(ask(other_case, &[]), "", "names have no case (RFC 4343)");
}

#[test]
fn errors_have_the_names_that_operators_know() {
    for (code, name) in
        [(RCODE::ServerFailure, "SERVFAIL"), (RCODE::NameError, "NXDOMAIN"), (RCODE::Refused, "REFUSED")]
    {
        let server = name_server(move |answer| *answer.rcode_mut() = code);
        assert_eq!(ask(server, &[]), format!("DNS error {name}"));
    }
    let empty = name_server(|answer| answer.answers.clear());
    assert_eq!(ask(empty, &[]), "the answer has no A record");
}

#[test]
fn an_answer_to_another_question_is_none() {
    let other_id = name_server(|answer| answer.set_id(answer.id().wrapping_add(1)));
    assert_eq!(ask(other_id, &[]), "the answer is to another question: it has another ID");
    let other_name = name_server(|answer| answer.questions[0].qname = Name::new("example.org").unwrap());
    assert_eq!(ask(other_name, &[]), "the answer is to another question: it repeats another name or type");
    let mirror = name_server(|answer| {
        answer.remove_flags(PacketFlag::RESPONSE);
        answer.answers.clear();
    });
    assert_eq!(ask(mirror, &[]), "the answer is to another question: it is a question itself");
}

#[test]
fn a_forged_answer_does_not_hide_the_true_one() {
    let server = servers::udp(|query| {
        let query = Packet::parse(query).unwrap();
        let answer = |id| {
            let mut answer = Packet::new_reply(id);
            answer.questions.clone_from(&query.questions);
            let address = RData::A(A { address: ADDRESS.to_bits() });
            answer.answers.push(ResourceRecord::new(
                query.questions[0].qname.clone(),
                CLASS::IN,
                60,
                address,
            ));
            answer.build_bytes_vec().unwrap()
        };
        vec![answer(query.id() ^ 1), answer(query.id())]
    });
    assert_eq!(ask(server, &[]), "");
}

#[test]
fn what_is_no_dns_is_named() {
    for nonsense in [&b"x"[..], &[0; 11], b"this is certainly not an answer of a name server"] {
        let server = servers::udp(move |_| vec![nonsense.to_vec()]);
        let said = ask(server, &[]);
        assert!(said.starts_with("the answer is not DNS: "), "{said}");
    }
    // Says that it has 65,535 records in each section.
    let boast = servers::udp(|query| {
        let mut answer = query[..12].to_vec();
        answer[2] |= 0x80;
        answer[4..].fill(0xff);
        vec![answer]
    });
    assert_eq!(ask(boast, &[]), "the answer is not DNS: 12 bytes hold no such message");
}

#[test]
fn the_root_has_name_servers_too() {
    let server = name_server(|answer| assert_eq!(answer.questions[0].qname.to_string(), ""));
    let lines = ["type = \"dns\"", "name = \".\"", "timeout = \"300ms\""];
    assert_eq!(words(&lines, server), "");
}
