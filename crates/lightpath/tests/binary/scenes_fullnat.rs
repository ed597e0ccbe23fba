//! `fullnat` at its limits.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::common::{Bed, Family, Held, Service, file, number, serve_lines};

const PORT: u16 = 7000;

#[test]
fn a_connection_for_which_there_is_no_port_is_refused_at_once() {
    let mut bed = Bed::one_armed(1);
    serve_lines(&bed.backends[0].ns, SocketAddr::from(([0, 0, 0, 0], PORT)), "one");
    let vip = Family::V4.vip(10);
    let mut service = Service::web("lines", vip, &bed.addresses(Family::V4));
    (service.port, service.forward) = ("7000", "fullnat");
    bed.balancer.start_with(&file(bed.interfaces, "snat_ports = \"20000-20003\"", &[service]));

    let held = Held::open(&bed.client.ns, (vip, PORT), 4);
    let began = Instant::now();
    let connect = || TcpStream::connect_timeout(&SocketAddr::new(vip, PORT), Duration::from_secs(5));
    let refused = bed.client.ns.run(connect).unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "after {:?}", began.elapsed());
    let status = bed.balancer.status();
    assert_eq!(status.0["drops"], serde_json::json!({ "ports-exhausted": 1 }));
    assert_eq!(number(&status.0["flows"]["sessions"]), 4);
    assert_eq!(number(&status.backend("lines", 0)["flows"]), 4);
    held.all_talk();
}
