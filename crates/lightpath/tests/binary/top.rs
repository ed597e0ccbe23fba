//! `lightpath top` on a terminal of 80 columns and 24 rows, as somebody uses it by SSH.

use std::net::SocketAddr;
use std::time::Duration;

use lightpath_lab::{http_get, serve_http};

use crate::common::{Bed, Family, Service, Terminal, file};

#[test]
fn top_shows_what_is_and_leaves_the_terminal_as_it_was() {
    let mut bed = Bed::one_armed(2);
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 80));
    let serve = |index: usize| serve_http(&bed.backends[index].ns, everywhere, "page").unwrap();
    let (_first, second) = (serve(0), serve(1));
    let mut web = Service::web("web", Family::V4.vip(10), &bed.addresses(Family::V4));
    web.more = "health = { type = \"tcp\", interval = \"200ms\", timeout = \"200ms\" }";
    let empty = Service::web("empty", Family::V4.vip(11), &[]);
    bed.balancer.start_with(&file(bed.interfaces, "", &[web, empty]));
    let mut top = Terminal::start(&bed.balancer.command(&["top"]));
    let seen = top.shows("the services are there", |seen| seen.contains("2 services, 2 backends: 2 up"));
    assert!(seen.contains("203.0.113.10:80/tcp") && seen.contains("2/2") && seen.contains("0/0"), "{seen}");
    assert!(top.screen.screen().alternate_screen(), "the screen from before is kept");

    let to = |host| SocketAddr::new(Family::V4.vip(host), 80);
    http_get(&bed.client.ns, None, to(11), Duration::from_secs(5)).unwrap_err();
    top.press("2");
    top.shows("drops are explained", |seen| {
        seen.contains("no-backend") && seen.contains("No backend of the service")
    });
    bed.look_for_an_example(to(11));
    top.shows("an example is there", |seen| {
        let words = seen.split_whitespace().collect::<Vec<_>>().join(" ");
        words.contains("UTC by eth0: tcp SYN") && words.contains("for empty")
    });
    top.press("3");
    top.shows("every processor is there", |seen| seen.contains("CPU 0") && seen.contains("packets/s"));

    top.press("1\r");
    let first = format!("{}:80", bed.addresses(Family::V4)[0]);
    top.shows("the backends are there", |seen| seen.contains("web: backend") && seen.contains(&first));
    drop(second);
    top.shows("the dead one is seen, and why", |seen| {
        seen.contains("is down for") && seen.contains("connection refused")
    });
    top.press("\x1b");
    top.press("/emp\r");
    top.shows("the filter leaves one", |seen| seen.contains("with emp") && !seen.contains("203.0.113.10"));

    bed.balancer.stop();
    top.shows("it says that the daemon is gone", |seen| {
        seen.contains("As it was, for the daemon of instance default is not")
    });
    bed.balancer.start();
    top.shows("and finds it again", |seen| seen.contains("2 services, 2 backends"));
    top.press("q");
    let left = top.shows("it ends", |seen| seen.contains("status 0"));
    assert!(!left.contains("services"), "the screen is as before: {left}");
    top.is_left_as_it_was();
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn what_is_no_terminal_is_told_so() {
    let mut bed = Bed::one_armed(0);
    let service = Service::web("empty", Family::V4.vip(11), &[]);
    bed.balancer.start_with(&file(bed.interfaces, "", &[service]));
    let refused = bed.balancer.ask(&["top"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.stderr.contains("top needs a terminal"), "{refused:?}");
    // Ctrl-C ends it as `q` does.
    let mut top = Terminal::start(&bed.balancer.command(&["top"]));
    top.shows("it is drawn", |seen| seen.contains("1 services"));
    top.press("\x03");
    top.shows("it ends", |seen| seen.contains("status 0"));
    top.is_left_as_it_was();
    bed.balancer.stop();
    bed.balancer.detach();
}
