//! `lightpath top` on a terminal of 80 columns and 24 rows, as somebody uses it by SSH.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use lightpath_lab::{KillOnDrop, http_get, serve_http};
use vt100::Parser;

use crate::common::{Bed, Family, Service, eventually, file};

/// A command on a terminal, and what that shows.
struct Terminal {
    child: KillOnDrop,
    keyboard: ChildStdin,
    output: Receiver<Vec<u8>>,
    screen: Parser,
    /// All that was sent to the terminal.
    sent: Vec<u8>,
}

impl Terminal {
    fn start(command: &Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words = words.map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ");
        // script(1) gives it a terminal; the settings are printed before and after.
        let line = format!("stty rows 24 columns 80; stty -a; {words}; echo status $?; stty -a");
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        script
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = KillOnDrop(script.spawn().unwrap());
        let keyboard = child.0.stdin.take().unwrap();
        let mut stdout = child.0.stdout.take().unwrap();
        let (tell, output) = channel();
        thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut some) {
                if tell.send(some[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keyboard, output, screen: Parser::new(24, 80, 0), sent: Vec::new() }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// What stands there now.
    fn look(&mut self) -> String {
        for some in self.output.try_iter() {
            self.screen.process(&some);
            self.sent.extend(some);
        }
        self.screen.screen().contents()
    }

    /// Waits until the screen is as it should be.
    fn shows(&mut self, claim: &str, holds: impl Fn(&str) -> bool) -> String {
        let mut seen = String::new();
        eventually(claim, || {
            seen = self.look();
            holds(&seen)
        });
        seen
    }
}

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
    eventually("the terminal is closed", || top.child.0.try_wait().unwrap().is_some());
    top.look();
    assert!(!top.screen.screen().hide_cursor() && !top.screen.screen().alternate_screen());
    let sent = String::from_utf8_lossy(&top.sent).into_owned();
    let settings =
        |at: &str| at.lines().find(|line| line.contains("icanon")).map(str::trim).unwrap().to_owned();
    let (before, after) = (settings(&sent), settings(sent.rsplit_once("status 0").unwrap().1));
    assert!(before.contains(" icanon") || before.starts_with("icanon"), "{before}");
    assert_eq!(before, after);
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
    assert!(finished(&mut top), "the terminal is as it was");
    bed.balancer.stop();
    bed.balancer.detach();
}

fn finished(top: &mut Terminal) -> bool {
    eventually("the terminal is closed", || top.child.0.try_wait().unwrap().is_some());
    top.look();
    !top.screen.screen().hide_cursor() && !top.screen.screen().alternate_screen()
}
