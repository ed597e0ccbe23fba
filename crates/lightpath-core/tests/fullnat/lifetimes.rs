//! How long sessions live.

use lightpath_abi::{Backend, Side};
use lightpath_core::host::HostTables;
use lightpath_core::wire::{TCP, UDP};
use lightpath_core::{Reason, ReplyKind, timeout};
use lightpath_testkit::node::Node;
use lightpath_testkit::packet::{ACK, FIN, RST, SYN, tcp, udp};
use lightpath_testkit::{Setup, service};

use crate::flow::{Opened, Sent, VIP, client, node, open, send, web};

/// Whether the client sent it, and its flags.
type Segment = (bool, u8);

/// Seconds of silence after which a flow is over, each second tried from `at_least` on.
fn lifetime(tables: &HostTables, flow: &Opened, at_least: u32) -> u32 {
    let mut later = tables.clone();
    later.now += at_least;
    while flow.lives(&later) {
        later.now += 1;
        assert!(later.now < tables.now + at_least + 10, "{flow:?} lives on");
    }
    later.now - tables.now - 1
}

#[test]
fn each_state_has_its_timeout_and_both_directions_end_together() {
    let stories: [(&str, &[Segment], u32); 8] = [
        ("SYN", &[], 30),
        ("not answered", &[(true, ACK)], 30),
        ("established", &[(false, SYN | ACK), (true, ACK)], 7440),
        ("closed by the client", &[(false, SYN | ACK), (true, ACK), (true, FIN | ACK)], 240),
        ("closed by the backend", &[(false, SYN | ACK), (true, ACK), (false, FIN | ACK)], 240),
        ("closed", &[(false, SYN | ACK), (true, ACK), (false, FIN | ACK), (true, FIN | ACK)], 120),
        ("reset by the client", &[(false, SYN | ACK), (true, ACK), (true, RST)], 10),
        ("reset by the backend", &[(false, RST | ACK)], 10),
    ];
    for (what, story, seconds) in stories {
        let tables = node(&Setup::new().with(web()));
        let flow = open(&tables, &client(1), 1).unwrap();
        for (of_client, flags) in story {
            send(&tables, &if *of_client { flow.client_sends(*flags) } else { flow.backend_sends(*flags) });
        }
        assert_eq!(lifetime(&tables, &flow, seconds - 3), seconds, "{what}");
    }
}

#[test]
fn a_udp_flow_lives_longer_once_it_was_answered() {
    let silent = Side { state: 0, seen: 0 };
    let spoke = Side { state: Side::SPOKE, seen: 0 };
    assert_eq!([timeout(UDP, spoke, silent), timeout(UDP, spoke, spoke)], [30, 300]);
    assert_eq!(timeout(TCP, spoke, spoke), 7440);
    let dns = service("dns", "203.0.113.10", 53).udp().fullnat();
    let mut tables = node(&Setup::new().with(dns.backend("10.0.0.3:53", Node::default().backend_hop())));
    let query = udp(&client(1), "203.0.113.10:53");
    let Sent::On(node, backend) = send(&tables, &query) else { panic!("it opens a session") };
    let reply = udp(&backend.to_string(), &node.to_string());
    tables.now += 30;
    assert!(matches!(send(&tables, &reply), Sent::On(..)));
    tables.now += 300;
    assert_eq!(send(&tables, &query), Sent::On(node, backend));
    tables.now += 301;
    assert_eq!(send(&tables, &reply), Sent::Passed);
}

/// RFC 7857, section 2.2: an RST need not have been the sender's.
#[test]
fn a_forged_reset_does_not_end_a_connection_that_goes_on() {
    let mut tables = node(&Setup::new().with(web()));
    let flow = open(&tables, &client(1), 1).unwrap();
    flow.establish(&tables);
    send(&tables, &flow.client_sends(RST));
    tables.now += 9;
    send(&tables, &flow.client_sends(ACK));
    tables.now += 7440;
    assert!(flow.lives(&tables));
}

#[test]
fn packets_of_no_connection_are_refused_but_a_reset_is_not_answered() {
    let tables = node(&Setup::new().with(web().refusing()));
    let stray = |flags| send(&tables, &tcp(&client(1), VIP).flags(flags));
    assert_eq!(stray(ACK), Sent::Answered(ReplyKind::Reset, Reason::NoSession));
    assert_eq!(stray(RST), Sent::Dropped(Reason::NoSession));
}

/// Pitfall "stale entry": a flow entry outlives its backend number.
#[test]
fn a_session_ends_with_its_backend_whoever_has_its_number_then() {
    let spoilers: [fn(&mut Backend); 3] =
        [|backend| backend.serving = 0, |backend| backend.address.low += 1, |backend| backend.service = 7];
    for spoil in spoilers {
        let mut tables = node(&Setup::new().with(web()));
        let flow = open(&tables, &client(1), 1).unwrap();
        flow.establish(&tables);
        assert!(flow.lives(&tables));
        spoil(tables.backends_mut().get_mut(&1).unwrap());
        assert!(!flow.lives(&tables));
    }
}

#[test]
fn what_is_too_big_after_translation_is_answered_with_what_fits_before_it() {
    let hop = Node::default().backend_hop();
    let web6 = service("web6", "2001:db8:a::10", 80).fullnat().backend("10.0.0.2:80", hop);
    let tables = node(&Setup::new().with(web6));
    let (client, vip) = ("[2001:db8:1::10]:4000", "[2001:db8:a::10]:80");
    let Sent::On(node, backend) = send(&tables, &tcp(client, vip).flags(SYN)) else {
        panic!("it opens a session")
    };
    // 1500 bytes of IPv4 are 1520 of IPv6.
    let there = |payload: usize| send(&tables, &tcp(client, vip).payload(&vec![0; payload]));
    assert!(matches!(there(1500 - 40), Sent::On(..)));
    assert_eq!(there(1500 - 39), Sent::Answered(ReplyKind::TooBig { mtu: 1520 }, Reason::TooBig));
    let reply = tcp(&backend.to_string(), &node.to_string());
    let back = |payload: usize| send(&tables, &reply.clone().payload(&vec![0; payload]));
    assert!(matches!(back(1480 - 40), Sent::On(..)));
    assert_eq!(back(1480 - 39), Sent::Answered(ReplyKind::TooBig { mtu: 1480 }, Reason::TooBig));
}
