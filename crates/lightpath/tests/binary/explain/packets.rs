//! Packets of every kind, in hex and in files.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use lightpath_testkit::packet::{SYN, arp, icmp_echo, ip, tcp, udp};
use serde_json::{Value, json};

use super::hex;
use super::pcap::{Cut, ETHERNET, LINUX_SLL, LINUX_SLL2, RAW, pcap, pcap_of_cut, pcapng};
use crate::common::{Bed, Family, Output, Service, file};

const CLIENT: &str = "198.51.100.10:40000";
const VIP: &str = "203.0.113.10:80";

/// One `nat` service on 203.0.113.10:80/tcp with one backend, 10.0.0.11.
fn balanced() -> Bed {
    let mut bed = Bed::one_armed(1);
    let service = Service::web("web", Family::V4.vip(10), &bed.addresses(Family::V4));
    bed.balancer.start_with(&file(bed.interfaces, "", &[service]));
    bed
}

fn syn() -> Vec<u8> {
    tcp(CLIENT, VIP).flags(SYN).payload(b"").build()
}

impl Bed {
    fn explain_hex(&self, bytes: &[u8]) -> Value {
        self.balancer.ask(&["explain", "--json", "--hex", &hex(bytes)]).json()
    }

    /// Explains a file with these bytes.
    fn explain_file(&self, bytes: &[u8], more: &[&str]) -> Output {
        let path = self.scratch.join("capture");
        fs::write(&path, bytes).unwrap();
        self.balancer.ask(&[&["explain", "--pcap", path.to_str().unwrap()], more].concat())
    }

    /// What is said of each packet of a file.
    fn explain_each(&self, bytes: &[u8]) -> Vec<Value> {
        let output = self.explain_file(bytes, &["--json"]);
        output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn explain_input(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.balancer.command(&[&["explain"], arguments].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        Output {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Verdict, and a part of the summary and of the reason given.
#[test]
fn whatever_a_packet_is_the_answer_says_what_becomes_of_it_and_why() {
    let bed = balanced();
    for (packet, verdict, summary, because) in [
        (syn(), "forward", "tcp SYN 198.51.100.10:40000 to 203.0.113.10:80", "its slot names this backend"),
        (tcp(CLIENT, VIP).vlan(7).build(), "forward", "tcp ACK 198.51.100.10:40000", "its slot names"),
        (
            tcp("10.0.0.11:80", CLIENT).build(),
            "forward",
            "tcp ACK 10.0.0.11:80 to 198.51.100.10:40000",
            "a reply of a backend, which goes where this node's routes lead: `ip route get 198.51.100.10 from 203.0.113.10`",
        ),
        (tcp(CLIENT, "203.0.113.10:81").build(), "pass", "tcp", "203.0.113.10 is a VIP, but no service"),
        (udp(CLIENT, VIP).build(), "pass", "udp 198.51.100.10:40000", "but no service of it has UDP port 80"),
        (tcp(CLIENT, "192.0.2.1:80").build(), "pass", "tcp", "no service has this destination"),
        (
            tcp("[2001:db8::1]:1", "[2001:db8::2]:80").build(),
            "pass",
            "tcp ACK [2001:db8::1]:1 to [2001:db8::2]:80",
            "no service has an IPv6 VIP",
        ),
        (arp("198.51.100.10", "203.0.113.10"), "pass", "ARP", "it is not IP"),
        (
            icmp_echo("198.51.100.10", "203.0.113.10").build(),
            "pass",
            "ICMP 198.51.100.10",
            "it is ICMP about nothing",
        ),
        (ip(47, "198.51.100.10", "203.0.113.10").build(), "pass", "GRE 198.51.100.10", "its IP protocol"),
        (tcp(CLIENT, VIP).ttl(1).build(), "drop", "tcp", "ttl-expired: its TTL allows no further hop"),
        (
            tcp(CLIENT, VIP).without_transport().fragment(2, false).build(),
            "drop",
            "tcp fragment 198.51.100.10 to 203.0.113.10",
            "fragment: it is a fragment whose datagram's first fragment was not seen",
        ),
        (
            tcp(CLIENT, VIP).fragment(0, true).build(),
            "forward",
            "tcp fragment",
            "its slot names this backend",
        ),
        (
            tcp(CLIENT, "192.0.2.1:80").fragment(0, true).build(),
            "pass",
            "tcp",
            "no service has this destination",
        ),
        (syn()[..48].to_vec(), "drop", "tcp", "ip-length: its IP length is more than the frame carries"),
        (syn()[..20].to_vec(), "pass", "IPv4 with a broken header", "or it is cut short"),
        (syn()[..13].to_vec(), "pass", "13 bytes, too few for an Ethernet header", "too short to carry IP"),
        (vec![0; 1], "pass", "1 bytes", "too short to carry IP"),
        (vec![0xff; 300], "pass", "EtherType 0xffff", "it is not IP"),
    ] {
        let explained = bed.explain_hex(&packet);
        assert_eq!(explained["verdict"], verdict, "{explained}");
        for (key, part) in [("summary", summary), ("because", because)] {
            assert!(explained[key].as_str().unwrap().contains(part), "no {part:?} in {key}: {explained}");
        }
        let reason = because.split_once(": ").filter(|_| verdict == "drop").map(|(reason, _)| reason);
        assert_eq!(explained["reason"], json!(reason), "{explained}");
        assert_eq!(explained["packet"].is_string(), verdict == "forward", "{explained}");
        let output = bed.balancer.ask(&["explain", "--hex", &hex(&packet)]);
        assert_eq!(output.code, Some(i32::from(verdict == "drop")), "{output:?}");
        assert!(output.stdout.contains(because), "{output:?}");
    }
}

#[test]
fn digits_are_taken_as_people_have_them() {
    let bed = balanced();
    let frame = syn();
    let expected = bed.explain_hex(&frame);
    let colons = frame.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    let lines = frame.chunks(16).zip((0..).step_by(16));
    let dump: Vec<_> = lines.map(|(bytes, offset)| format!("\t0x{offset:04x}:  {}", hex(bytes))).collect();
    let dump = dump.join("\n");
    assert_eq!(bed.balancer.ask(&["explain", "--json", "--hex", &colons]).json(), expected);
    assert_eq!(bed.explain_input(&["--json", "--hex", "-"], dump.as_bytes()).json(), expected);

    // From the IP header on, as of `tcpdump -x`, everything but the MAC addresses is known.
    let mut of_ip = bed.explain_hex(&frame[14..]);
    assert_eq!(of_ip["changes"][0]["field"], "destination MAC", "{of_ip}");
    assert_eq!(of_ip["changes"][0]["before"], Value::Null, "{of_ip}");
    of_ip["changes"] = expected["changes"].clone();
    assert_eq!(of_ip, expected);
}

#[test]
fn what_changes_is_told_field_by_field() {
    let bed = balanced();
    let output = bed.balancer.ask(&["explain", "--hex", &hex(&syn())]);
    for line in [
        "packet    tcp SYN 198.51.100.10:40000 to 203.0.113.10:80",
        "service   web",
        "backend   10.0.0.11 port 80",
        "rewrite   destination becomes 10.0.0.11:80",
        "          TTL 64 becomes 63",
        "          destination address 203.0.113.10 becomes 10.0.0.11",
    ] {
        assert!(output.stdout.lines().any(|found| found == line), "no {line:?} in {output:?}");
    }
    assert!(output.stdout.contains("changes   destination MAC 02:00:00:00:00:fe becomes "), "{output:?}");
    assert!(!output.stdout.contains("port 80 becomes"), "what stays is not told: {output:?}");
}

#[test]
fn every_kind_of_file_says_the_same_of_the_same_packet() {
    let bed = balanced();
    let frame = syn();
    let packet = frame[14..].to_vec();
    let cooked = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 0xff, 0, 0, 8, 0], packet.as_slice()].concat();
    let cooked2 =
        [&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 0xff, 0, 0], packet.as_slice()].concat();
    let expected = bed.explain_hex(&frame);
    for (what, link_type, bytes) in [
        ("Ethernet", ETHERNET, frame),
        ("raw", RAW, packet.clone()),
        ("IPv4", 228, packet),
        ("cooked", LINUX_SLL, cooked),
        ("cooked v2", LINUX_SLL2, cooked2),
    ] {
        let one = [bytes];
        for file in [pcap(link_type, &one), pcapng(&[(link_type, &one)])] {
            let explained = bed.explain_each(&file);
            let [explained] = explained.as_slice() else { panic!("{what}: {explained:?}") };
            assert_eq!(explained["number"], 1, "{what}");
            for key in ["summary", "verdict", "hash", "slot", "backend", "rewrite", "next_hop", "packet"] {
                assert_eq!(explained[key], expected[key], "{what}: {key}");
            }
        }
    }
}

#[test]
fn packets_of_a_file_are_listed_and_one_is_shown_in_detail() {
    let bed = balanced();
    let dropped = tcp(CLIENT, VIP).ttl(1).build();
    let mut packets = vec![syn(), arp("198.51.100.10", "203.0.113.10")];
    // More than are asked about at once.
    packets.extend((0..600).map(|_| syn()));
    packets.push(dropped);
    let (first, second) = packets.split_at(2);
    let file = pcapng(&[(ETHERNET, first), (ETHERNET, second)]);

    let listed = bed.explain_file(&file, &[]);
    assert_eq!(listed.code, Some(1), "a packet is dropped: {listed:?}");
    let lines: Vec<_> = listed.stdout.lines().collect();
    assert_eq!(
        lines[0],
        "    1  forward  tcp SYN 198.51.100.10:40000 to 203.0.113.10:80; web: to 10.0.0.11 port 80"
    );
    assert_eq!(lines[1], "    2  pass     ARP");
    assert_eq!(
        lines[602],
        "  603  drop     tcp ACK 198.51.100.10:40000 to 203.0.113.10:80; web: ttl-expired"
    );
    assert_eq!(lines[603..], ["603 packets: 601 forwarded, 1 passed, 1 dropped"]);

    let shown = bed.explain_file(&file, &["--packet", "603"]);
    assert!(shown.stdout.contains("verdict   drop: ttl-expired"), "{shown:?}");
    let shown = bed.explain_file(&file, &["--packet", "2", "--json"]);
    assert_eq!(shown.json()["number"], 2, "{shown:?}");
    let missing = bed.explain_file(&file, &["--packet", "604"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.ends_with("has no packet 604; its last is 603\n"), "{missing:?}");

    let piped = bed.explain_input(&["--pcap", "-"], &file);
    assert_eq!(piped.stdout, listed.stdout);
}

#[test]
fn a_capture_that_kept_only_headers_is_enough_and_one_that_kept_less_is_said_to_be_too_little() {
    let bed = balanced();
    let bytes = tcp(CLIENT, VIP).payload(&[7; 1400]).build();
    let length = bytes.len();
    let cut = |kept| Cut { bytes: bytes.clone(), kept };
    let explained =
        bed.explain_each(&pcap_of_cut(ETHERNET, &[cut(length), cut(54), cut(53), cut(20), cut(0)]));
    let [whole, headers, less @ ..] = explained.as_slice() else { panic!("{explained:?}") };
    assert_eq!(whole["verdict"], "forward", "{whole}");
    let summary = format!("{}, 54 of {length} bytes captured", whole["summary"].as_str().unwrap());
    assert_eq!(headers["summary"], json!(summary), "{headers}");
    assert_eq!(headers["backend"], whole["backend"], "{headers}");
    let [short, long] = [headers, whole].map(|explained| explained["packet"].as_str().unwrap());
    assert_eq!(short, &long[..2 * 54], "the packet is shown as far as it is known");
    assert_eq!(less.len(), 3);
    for less in less {
        assert_eq!(less["verdict"], "unknown", "{less}");
        assert!(less["because"].as_str().unwrap().contains("tcpdump -s 256"), "{less}");
    }
}

#[test]
fn files_that_are_none_are_refused_by_what_is_wrong_with_them() {
    let bed = balanced();
    let good = pcap(ETHERNET, &[syn(), syn()]);
    let with = |at: usize, word: u32| {
        let mut file = good.clone();
        file[at..at + 4].copy_from_slice(&word.to_le_bytes());
        file
    };
    let mut undescribed = pcapng(&[]);
    undescribed.extend(&pcapng(&[(ETHERNET, &[syn()])])[28 + 20..]);
    for (file, expected) in [
        (Vec::new(), "is empty; a capture has at least a header"),
        (b"not a capture, whatever its name is".to_vec(), "is neither a pcap nor a pcapng file"),
        (good[..10].to_vec(), "ends within its header"),
        (pcap(ETHERNET, &[]), "has no packets"),
        (pcapng(&[]), "has no packets"),
        (good[..good.len() - 1].to_vec(), "ends within a block after packet 1"),
        (good[..24 + 7].to_vec(), "ends within a block after packet 0"),
        // The length of the first packet, of which no such file could have more than 256 KiB.
        (with(24 + 8, u32::MAX), "has a block of more than 524288 bytes after packet 0"),
        (
            with(20, 127),
            "packet 1: its link type is IEEE 802.11 with radiotap (127); those that can be explained are",
        ),
        (with(20, 999), "packet 1: its link type is 999 (see https://www.tcpdump.org/linktypes.html)"),
        (undescribed, "packet 1: interface 0 of the capture is not described in it"),
    ] {
        let output = bed.explain_file(&file, &[]);
        assert_eq!(output.code, Some(1), "{expected}: {output:?}");
        assert!(output.stderr.contains(expected), "{expected}: {output:?}");
    }
    let cut = bed.explain_file(&good[..good.len() - 1], &[]);
    assert!(cut.stdout.starts_with("    1  forward"), "what is whole is explained: {cut:?}");

    let directory = bed.balancer.ask(&["explain", "--pcap", bed.scratch.to_str().unwrap()]);
    assert!(directory.stderr.contains("Is a directory"), "{directory:?}");
    let absent = bed.balancer.ask(&["explain", "--pcap", "/nowhere.pcap"]);
    assert!(absent.stderr.contains("/nowhere.pcap: No such file"), "{absent:?}");
    for (digits, expected) in [
        ("", "--hex: there are no hex digits"),
        ("450", "--hex: the number of hex digits is odd (3)"),
        ("packet", "--hex: 'p' in line 1, column 1 is no hex digit"),
    ] {
        let output = bed.balancer.ask(&["explain", "--hex", digits]);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr.contains(expected), "{expected}: {output:?}");
    }
}

#[test]
fn one_question_at_a_time() {
    let bed = balanced();
    for arguments in [
        &["explain"] as &[&str],
        &["explain", "--src", CLIENT, "--dst", VIP],
        &["explain", "--hex", "45", "--pcap", "-"],
        &["explain", "--hex", "45", "--syn"],
        &["explain", "--hex", "45", "--packet", "1"],
        &["explain", "--pcap", "-", "--packet", "0"],
    ] {
        let output = bed.balancer.ask(arguments);
        assert_eq!(output.code, Some(2), "{arguments:?}: {output:?}");
    }
}
