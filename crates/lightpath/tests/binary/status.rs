//! `lightpath status` of more than fits a screen: parts of it, and again and again.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use lightpath_lab::KillOnDrop;
use serde_json::Value;

use crate::common::{Balancer, Bed, Family, PATIENCE, Service, eventually, file, finish};

/// Three services of two backends, of which one is drained.
fn start() -> Bed {
    let mut bed = Bed::one_armed(2);
    let services = [("web-a", 10), ("web-b", 11), ("mail", 12)].map(|(name, host)| {
        let mut service = Service::web(name, Family::V4.vip(host), &bed.addresses(Family::V4));
        service.forward = "fullnat";
        if name == "web-b" {
            service.backends[1].more = "weight = 0";
        }
        service
    });
    bed.balancer.start_with(&file(bed.interfaces, "", &services));
    bed
}

/// The services that an invocation shows, each with how many backends.
fn shown(balancer: &Balancer, arguments: &[&str]) -> String {
    let output = balancer.ask(&[&["status", "--json"], arguments].concat());
    assert_eq!(output.code, Some(0), "{output:?}");
    let status = output.json();
    let services = status["services"].as_array().unwrap().iter();
    let backends = |service: &Value| service["backends"].as_array().unwrap().len();
    let words =
        services.map(|service| format!("{} {}", service["name"].as_str().unwrap(), backends(service)));
    words.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_part_is_shown_with_how_much_there_is() {
    let mut bed = start();
    let rows: [(&[&str], &str); 5] = [
        (&[], "web-a 2, web-b 2, mail 2"),
        (&["--sort", "name"], "mail 2, web-a 2, web-b 2"),
        (&["--service", "web-*"], "web-a 2, web-b 2"),
        (&["--state", "draining"], "web-b 1"),
        (&["--service", "mail", "--state", "draining"], ""),
    ];
    for (arguments, expected) in rows {
        assert_eq!(shown(&bed.balancer, arguments), expected, "{arguments:?}");
    }
    let text = bed.balancer.ask(&["status", "--state", "draining"]).stdout;
    let mut lines = text.lines().skip(1);
    assert_eq!(lines.next(), Some("3 services, 6 backends: 5 up, 1 draining"), "{text}");
    assert_eq!(lines.next(), Some("shown: 1 service, 1 backend: 1 draining"), "{text}");
    let refused = bed.balancer.ask(&["status", "--service", "nonsense"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.stderr.contains("no service is called nonsense"), "{refused:?}");
    bed.balancer.stop();
    bed.balancer.detach();
}

fn words(command: &Command) -> Vec<&OsStr> {
    std::iter::once(command.get_program()).chain(command.get_args()).collect()
}

/// A command on a terminal of its own, by script(1): in place of the shell, which would end by an interrupt of its own.
fn on_a_terminal(command: &Command) -> Command {
    let words: Vec<&str> = words(command).into_iter().map(OsStr::to_str).map(Option::unwrap).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &format!("exec {}", words.join(" ")), "/dev/null"]);
    script
}

#[test]
fn watching_draws_in_place_until_it_is_interrupted_and_leaves_the_terminal_as_it_was() {
    const FRAME: &str = "\x1b[H";
    let mut bed = start();
    let mut command = on_a_terminal(&bed.balancer.command(&["status", "--watch", "1"]));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut watching = KillOnDrop(command.spawn().unwrap());
    let (mut keyboard, mut screen) = (watching.0.stdin.take().unwrap(), watching.0.stdout.take().unwrap());
    let reader = thread::spawn(move || {
        let (mut seen, mut some) = (Vec::new(), [0; 4096]);
        let mut interrupted = false;
        loop {
            let length = screen.read(&mut some).unwrap();
            seen.extend_from_slice(&some[..length]);
            if length == 0 {
                return String::from_utf8(seen).unwrap();
            }
            if !interrupted && String::from_utf8_lossy(&seen).matches(FRAME).count() == 3 {
                // Ctrl-C, as the terminal's driver knows it.
                keyboard.write_all(b"\x03").unwrap();
                interrupted = true;
            }
        }
    });
    eventually("watching ends", || reader.is_finished());
    let seen = reader.join().unwrap();
    assert!(watching.0.wait().unwrap().success(), "{seen:?}");
    assert!(seen.starts_with("\x1b[?1049h\x1b[?25l"), "{seen:?}");
    assert!(seen.trim_end().ends_with("\x1b[?25h\x1b[?1049l"), "{seen:?}");
    let frames: Vec<&str> = seen.split(FRAME).skip(1).collect();
    assert!(frames.len() >= 3, "{seen:?}");
    for frame in frames {
        assert!(frame.contains("3 services, 6 backends: 5 up, 1 draining"), "{frame:?}");
    }
    // What is no terminal gets no such signs.
    let watching = bed.balancer.command(&["status", "--watch", "1", "--service", "mail"]);
    let mut for_a_while = Command::new("timeout");
    for_a_while.args(["--preserve-status", "--signal=INT", "3"]).args(words(&watching));
    let ended = finish(&mut for_a_while, PATIENCE);
    let printed = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{:?}", ended.status);
    assert!(printed.matches("shown: 1 service, 2 backends: 2 up").count() >= 2, "{printed}");
    assert!(!printed.contains('\x1b'), "{printed:?}");
    bed.balancer.stop();
    bed.balancer.detach();
}
