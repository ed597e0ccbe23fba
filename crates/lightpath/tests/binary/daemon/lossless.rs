//! Everything that an operator does to a balancer, under load: nothing is lost.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use serde_json::Value;

use crate::common::{
    Balancer, Bed, BpfObject, Family, Held, Service, Status, Traffic, eventually, file, number, serve_lines,
    tcp_resets_sent, tcp_segments_sent,
};

use super::serve_pages;

const PORT: u16 = 7000;
const HELD: usize = 200;
/// Requests that each event has to live through.
const REQUESTS: usize = 60;

/// A page service and one of lines, whose first backend has this weight.
fn configuration(bed: &Bed, backends: usize, first: &'static str) -> String {
    let addresses = &bed.addresses(Family::V4)[..backends];
    let mut services = ["pages", "lines"].map(|name| Service::web(name, Family::V4.vip(10), addresses));
    services[1].port = "7000";
    for service in &mut services {
        service.backends[0].more = first;
    }
    file(bed.interfaces, "", &services)
}

/// What an operator does.
type Event = (&'static str, fn(&mut Bed));

fn ask(bed: &Bed, arguments: &[&str]) {
    let output = bed.balancer.ask(arguments);
    assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
}

fn reload(bed: &Bed, text: &str) {
    bed.balancer.configure(text);
    ask(bed, &["reload"]);
}

fn first(bed: &Bed) -> String {
    bed.addresses(Family::V4)[0].to_string()
}

fn start_again(bed: &mut Bed, end: fn(&mut Balancer)) {
    end(&mut bed.balancer);
    bed.balancer.start();
}

const EVENTS: [Event; 12] = [
    ("upgrade to another build", |bed| ask(bed, &["upgrade"])),
    ("rollback", |bed| ask(bed, &["rollback"])),
    ("SIGKILL and start", |bed| start_again(bed, Balancer::kill)),
    ("SIGTERM and start", |bed| start_again(bed, Balancer::stop)),
    ("reload: a backend more", |bed| reload(bed, &configuration(bed, 4, ""))),
    ("reload: another weight", |bed| reload(bed, &configuration(bed, 4, "weight = 300"))),
    ("reload: IPv6 and a range, so another program", |bed| {
        let more = Service {
            port: "\"9000-9009\"",
            ..Service::web("more", Family::V6.vip(10), &bed.addresses(Family::V6))
        };
        reload(bed, &(configuration(bed, 4, "weight = 300") + &more.to_string()));
    }),
    ("reload: a hundred services more, so larger tables", |bed| {
        let service = |number: u8| {
            let mut service =
                Service::web(&format!("s{number}"), Family::V4.vip(100 + number), &bed.addresses(Family::V4));
            service.forward = "dsr";
            service.more = "slots = 1021";
            service.to_string()
        };
        let more: String = (0..100).map(service).collect();
        reload(bed, &(configuration(bed, 4, "weight = 300") + &more));
    }),
    ("reload: all that is gone again", |bed| reload(bed, &configuration(bed, 4, ""))),
    ("drain", |bed| {
        for service in ["pages", "lines"] {
            ask(bed, &["backend", "drain", service, &first(bed)]);
        }
    }),
    ("removal", |bed| {
        for service in ["pages", "lines"] {
            ask(bed, &["backend", "remove", service, &first(bed)]);
        }
    }),
    ("reload --discard", |bed| ask(bed, &["reload", "--discard"])),
];

/// Packets to backends, over all of their lives: one that is gone takes its counters with it.
#[derive(Default)]
struct Counted {
    packets: u64,
    /// As last seen, by service and backend.
    last: BTreeMap<(String, String), u64>,
}

impl Counted {
    fn look(&mut self, status: &Status) {
        for service in status.0["services"].as_array().unwrap() {
            for backend in service["backends"].as_array().unwrap() {
                let name = |value: &Value| value.as_str().unwrap().to_owned();
                let last = self.last.entry((name(&service["name"]), name(&backend["address"]))).or_default();
                let now = number(&backend["packets"]);
                // Fewer are those of its next life.
                self.packets += if now < *last { now } else { now - *last };
                *last = now;
            }
        }
    }
}

#[test]
fn nothing_that_an_operator_does_loses_a_packet() {
    let mut bed = Bed::one_armed(4);
    let _servers = serve_pages(&bed);
    for (backend, name) in bed.backends.iter().zip(["one", "two", "three", "four"]) {
        serve_lines(&backend.ns, SocketAddr::from(([0, 0, 0, 0], PORT)), name);
    }
    // The same packet path, but another build.
    let another = bed.scratch.join("another.o");
    fs::write(&another, BpfObject::of(&bed.balancer).of_another_build()).unwrap();
    bed.balancer.configure(&configuration(&bed, 3, ""));
    bed.balancer.start_by(|command| {
        command.arg("--bpf-object").arg(&another);
    });

    let mut counted = Counted::default();
    let (sent_before, _) = tcp_segments_sent(&bed.client.ns);
    let held = Held::open(&bed.client.ns, (Family::V4.vip(10), PORT), HELD);
    let traffic = Traffic::patient(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
    traffic.goes_on_for(REQUESTS);
    for (what, event) in EVENTS {
        event(&mut bed);
        held.all_talk();
        traffic.goes_on_for(REQUESTS);
        counted.look(&bed.balancer.status());
        println!("{what}: {HELD} connections held, 0 reset");
    }
    let requests = traffic.finish();
    held.all_talk();
    assert_eq!(bed.balancer.status().0["drops"], serde_json::json!({}));
    // An answer that went by another way would come from somebody whom the client does not know.
    assert_eq!(tcp_resets_sent(&bed.client.ns), 0);
    // What the client has sent has gone on to a backend: nothing was dropped. A segment that it has sent again may be one that a
    // busy link has lost, before or behind the balancer.
    let (mut sent, again) = tcp_segments_sent(&bed.client.ns);
    sent -= sent_before;
    eventually("every packet is counted", || {
        counted.look(&bed.balancer.status());
        (sent - again..=sent).contains(&counted.packets)
    });
    println!(
        "{} events: {requests} requests, 0 failed; {HELD} connections, 0 reset; {} packets sent, {again} of them again, \
         {} counted out, 0 dropped",
        EVENTS.len(),
        sent,
        counted.packets
    );
    bed.balancer.stop();
    bed.balancer.detach();
}
