//! Services without a backend: clients are told at once, or hear nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lightpath_lab::UdpFlow;

use crate::common::{Bed, Family, Service, eventually, file, finish, number};

/// Long before a client would give up by itself.
const AT_ONCE: Duration = Duration::from_secs(1);
/// curl(1): connection refused, and time-out.
const REFUSED: i32 = 7;
const TIMED_OUT: i32 = 28;

/// An empty service of each protocol, on a VIP of each family.
fn start(bed: &mut Bed, when_empty: &'static str) {
    let mut services = Vec::new();
    for family in Family::BOTH {
        for protocol in ["tcp", "udp"] {
            let service = Service::web(&format!("{protocol}{family:?}"), family.vip(10), &[]);
            services.push(Service { protocol, more: when_empty, ..service });
        }
    }
    bed.balancer.start_with(&file(bed.interfaces, "", &services));
}

/// How curl ends, and after which time.
fn curl(bed: &Bed, to: SocketAddr) -> (Option<i32>, Duration) {
    let started = Instant::now();
    let mut curl = bed.client.ns.command("curl");
    curl.args(["--silent", "--noproxy", "*", "--globoff", "--max-time", "3", &format!("http://{to}/")]);
    (finish(&mut curl, Duration::from_secs(30)).status.code(), started.elapsed())
}

fn ask(bed: &Bed, to: SocketAddr) -> String {
    let mut flow = UdpFlow::open(&bed.client.ns, None, to).unwrap();
    flow.ask(Duration::from_millis(500)).unwrap_err().to_string()
}

#[test]
fn clients_of_an_empty_service_are_refused_at_once() {
    let mut bed = Bed::one_armed(0);
    start(&mut bed, "");
    for family in Family::BOTH {
        let to = SocketAddr::new(family.vip(10), 80);
        // Before the router has learned where the VIP is, a packet of the first client may have waited for it.
        eventually("the VIP is reached", || curl(&bed, to).0 == Some(REFUSED));
        let (code, after) = curl(&bed, to);
        assert!(code == Some(REFUSED) && after < AT_ONCE, "{to}: {code:?} after {after:?}");
        eventually("a datagram is refused", || ask(&bed, to).contains("refused"));
    }
    let status = bed.balancer.status().0;
    let replies = &status["replies"];
    assert!(number(&replies["reset"]) >= 4 && number(&replies["unreachable"]) >= 2, "{replies}");
    let refused = number(&replies["reset"]) + number(&replies["unreachable"]);
    assert!(number(&status["drops"]["no-backend"]) >= refused, "{status}");
    let text = bed.balancer.ask(&["status"]).stdout;
    let answered = text.split_once("\nAnswered:\n").unwrap().1;
    assert!(answered.contains("  reset") && answered.contains("  unreachable"), "{text}");
}

#[test]
fn clients_of_an_empty_service_hear_nothing_if_it_is_to_drop() {
    let mut bed = Bed::one_armed(0);
    start(&mut bed, "when_empty = \"drop\"");
    for family in Family::BOTH {
        let to = SocketAddr::new(family.vip(10), 80);
        assert_eq!(curl(&bed, to).0, Some(TIMED_OUT), "{to}");
        assert!(ask(&bed, to).contains("timed out"), "{to}");
    }
    let status = bed.balancer.status().0;
    assert!(number(&status["drops"]["no-backend"]) >= 4, "{status}");
    assert_eq!(
        status["replies"],
        serde_json::json!({ "echo": 0, "reset": 0, "too-big": 0, "unreachable": 0 })
    );
}
