//! `lightpath demo`, as it is typed.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use lightpath_lab::KillOnDrop;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::{LIGHTPATH, Terminal, eventually, finish, isolated, number};

/// The demonstration usually takes 6 seconds.
const LONG: Duration = Duration::from_mins(1);

#[test]
fn demo_keeps_its_claims_and_leaves_nothing_behind() {
    isolated();
    let mark = Mark::new("whole");
    let before = traces();
    let output = finish(mark.command().args(["demo", "--json"]), LONG);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();

    let scenes = report["scenes"].as_array().unwrap();
    assert!(scenes.len() >= 10, "{said}");
    for scene in scenes {
        assert!(number(&scene["requests"]) >= 2000, "{scene}");
        assert_eq!(scene["failed"], 0, "{scene}");
        assert_eq!(scene["problems"], serde_json::json!([]), "{scene}");
        for backend in scene["backends"].as_array().unwrap() {
            let [share, expected] = ["share", "expected_share"].map(|key| backend[key].as_f64().unwrap());
            assert!((share - expected).abs() <= 0.05, "{scene}");
        }
    }
    assert_eq!(mark.processes(), Vec::<u32>::new());
    assert_eq!(traces(), before);
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    isolated();
    let mark = Mark::new("interrupted");
    let before = traces();
    let demo = mark.command().arg("demo").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut demo = KillOnDrop(demo);
    // The demonstration itself, the ends of tunnels on three backends, and last the daemon: each in a namespace of its own.
    eventually("its daemon runs", || mark.processes().len() == 5);
    thread::sleep(Duration::from_millis(500));
    let namespaces = mark.namespaces();
    assert_eq!(namespaces.len(), 5, "{namespaces:?}");
    assert_eq!(demo.0.try_wait().unwrap(), None, "it has not ended before it is interrupted");

    kill(Pid::from_raw(demo.0.id().cast_signed()), Signal::SIGINT).unwrap();
    demo.0.wait().unwrap();
    eventually("all its processes are gone", || mark.processes().is_empty());
    assert_eq!(traces(), before);
}

#[test]
fn the_demo_can_be_watched_on_a_terminal_and_in_a_browser() {
    isolated();
    let mark = Mark::new("watched");
    let before = traces();
    let mut terminal = Terminal::start(mark.command().args(["demo", "--watch", "--requests", "60"]));
    let seen = terminal.shows("the page has an address", |seen| seen.contains("Enter opens"));
    let words = seen.split_whitespace().collect::<String>();
    let (_, address) = words.split_once("http://").expect("an address");
    let address: SocketAddr = address.split_once('/').unwrap().0.parse().unwrap();
    let page = finish(
        Command::new("curl").args(["--silent", "--noproxy", "*", &format!("http://{address}/")]),
        LONG,
    );
    assert!(String::from_utf8_lossy(&page.stdout).contains("<title>Lightpath</title>"), "{page:?}");
    terminal.press("\r");
    terminal.shows("requests are seen", |seen| {
        seen.contains("8 services, 24 backends") && !seen.contains("; 0 packets/s")
    });
    terminal.press("q");
    terminal.shows("it ends well", |seen| seen.contains("status 0"));
    terminal.is_left_as_it_was();
    assert_eq!(mark.processes(), Vec::<u32>::new());
    assert_eq!(traces(), before);

    let without = finish(mark.command().args(["demo", "--watch"]).stdin(Stdio::null()), LONG);
    assert_eq!(without.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&without.stderr).contains("needs a terminal"), "{without:?}");
}

/// What namespaces, mounts and pins would show in. Links and addresses are those of the namespace the test runs in.
fn traces() -> [BTreeSet<String>; 4] {
    let lines = |path| fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    let names = |path| {
        let entries = fs::read_dir(path).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path().display().to_string()).collect()
    };
    [lines("/proc/thread-self/mountinfo"), names("/sys/fs/bpf"), names("/run/netns"), names("/sys/class/net")]
}

/// A word in the environment by which a process and all that it starts are found.
struct Mark(String);

impl Mark {
    fn new(name: &str) -> Self {
        Self(format!("LIGHTPATH_TEST_MARK={}-{name}", std::process::id()))
    }

    fn command(&self) -> Command {
        let (key, value) = self.0.split_once('=').unwrap();
        let mut command = Command::new(LIGHTPATH);
        command.env(key, value);
        command
    }

    fn processes(&self) -> Vec<u32> {
        let numbers = fs::read_dir("/proc").unwrap();
        let numbers = numbers.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        let has_mark = |pid: &u32| {
            // A process may end while it is looked at.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == self.0.as_bytes())
        };
        numbers.filter(has_mark).collect()
    }

    fn namespaces(&self) -> BTreeSet<String> {
        let namespace = |pid| fs::read_link(format!("/proc/{pid}/ns/net")).unwrap().display().to_string();
        self.processes().into_iter().map(namespace).collect()
    }
}
