//! Changes at run time: merged into the file, kept on disk, and refused when they make no sense.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::PathBuf;

use lightpath_control::config::{Loaded, load};
use lightpath_control::model::Config;
use lightpath_control::overrides::{Change, Definition, Merged, Overrides, Store, definition_of};
use serde_json::json;
use tempfile::TempDir;

const FILE: &str = r#"[node]
interfaces = ["eth0"]

[[service]]
name = "web"
vip = "203.0.113.10"
port = 443
protocol = "tcp"

[[service.backend]]
address = "10.0.0.11"
port = 8443

[[service.backend]]
address = "10.0.0.12"

[[service]]
name = "ftp"
vip = "203.0.113.11"
port = "any"
protocol = "tcp"
backend = [ { address = "10.0.1.11" }, { address = "10.0.1.12", weight = 7 } ]
"#;

/// A file and what was changed since.
struct Running {
    scratch: TempDir,
    file: Loaded,
    overrides: Overrides,
}

impl Running {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let file = write(&scratch, FILE);
        Self { scratch, file, overrides: Overrides::default() }
    }

    fn config(&self) -> Config {
        self.overrides.merged(&self.file).unwrap().config
    }

    /// What comes of a change, or everything that is wrong with it.
    fn change(&mut self, change: &Change) -> Result<(), String> {
        let next = self
            .overrides
            .with(change, self.file.config(), &self.config())
            .map_err(|refused| refused.to_string())?;
        let merged = next.merged(&self.file).map_err(|unfit| unfit.to_string())?;
        assert_eq!((&merged.overrides, merged.left_out), (&next, vec![]));
        self.overrides = next;
        Ok(())
    }

    fn do_(&mut self, change: &Change) {
        self.change(change).unwrap_or_else(|problem| panic!("{change:?}: {problem}"));
    }

    /// The backends of a service with their weights.
    fn backends(&self, service: &str) -> Vec<String> {
        let config = self.config();
        let service = config.services.iter().find(|known| known.name == service).unwrap();
        let backends = service.backends.iter();
        backends.map(|backend| format!("{} {}", backend.endpoint(), backend.weight)).collect()
    }

    fn reload(&mut self, text: &str) -> Merged {
        self.file = write(&self.scratch, text);
        self.overrides.merged(&self.file).unwrap()
    }
}

fn write(scratch: &TempDir, text: &str) -> Loaded {
    let path = scratch.path().join("f.toml");
    fs::write(&path, text).unwrap();
    load(&path).unwrap()
}

fn keys(json: &serde_json::Value) -> Definition {
    json.as_object().unwrap().clone()
}

fn add(service: &str, backend: &serde_json::Value) -> Change {
    Change::AddBackend { service: service.to_owned(), definition: keys(backend) }
}

fn remove(service: &str, backend: &str) -> Change {
    Change::RemoveBackend { service: service.to_owned(), backend: backend.parse().unwrap() }
}

fn drain(service: &str, backend: &str) -> Change {
    Change::Drain { service: service.to_owned(), backend: backend.parse().unwrap() }
}

fn enable(service: &str, backend: &str) -> Change {
    Change::Enable { service: service.to_owned(), backend: backend.parse().unwrap() }
}

fn weight(service: &str, backend: &str, weight: u16) -> Change {
    Change::Weight { service: service.to_owned(), backend: backend.parse().unwrap(), weight }
}

#[test]
fn doing_and_undoing_leaves_nothing() {
    let mut running = Running::new();
    for (there, back) in [
        (drain("web", "10.0.0.11"), enable("web", "10.0.0.11:8443")),
        (weight("web", "10.0.0.12", 5), weight("web", "10.0.0.12:443", 100)),
        (weight("ftp", "10.0.1.12", 0), weight("ftp", "10.0.1.12", 7)),
        (add("web", &json!({ "address": "10.0.0.13" })), remove("web", "10.0.0.13")),
        (
            Change::AddService(keys(
                &json!({ "name": "dns", "vip": "203.0.113.53", "port": 53, "protocol": "udp" }),
            )),
            Change::RemoveService { service: "dns".to_owned() },
        ),
    ] {
        running.do_(&there);
        assert_ne!(running.config(), *running.file.config());
        running.do_(&back);
        assert_eq!(running.config(), *running.file.config());
        assert!(running.overrides.is_empty(), "{:?}", running.overrides);
    }
}

#[test]
fn changes_add_up() {
    let mut running = Running::new();
    running.do_(&weight("web", "10.0.0.11", 30));
    running.do_(&drain("web", "10.0.0.11"));
    assert_eq!(running.backends("web"), ["10.0.0.11:8443 0", "10.0.0.12:443 100"]);
    running.do_(&weight("web", "10.0.0.11", 40));
    assert_eq!(running.backends("web")[0], "10.0.0.11:8443 0", "it is still drained");
    running.do_(&enable("web", "10.0.0.11"));
    assert_eq!(running.backends("web")[0], "10.0.0.11:8443 40");

    running.do_(&add("ftp", &json!({ "address": "10.0.1.13", "weight": 9 })));
    running.do_(&remove("ftp", "10.0.1.11"));
    running.do_(&weight("ftp", "10.0.1.13", 3));
    assert_eq!(running.backends("ftp"), ["10.0.1.12 7", "10.0.1.13 3"]);
    running.do_(&add("ftp", &json!({ "address": "10.0.1.11", "weight": 1 })));
    assert_eq!(
        running.backends("ftp"),
        ["10.0.1.11 1", "10.0.1.12 7", "10.0.1.13 3"],
        "back as it is asked for now"
    );

    running.do_(&Change::AddService(keys(&json!({
        "name": "dns", "vip": "203.0.113.53", "port": 53, "protocol": "udp",
        "backend": [{ "address": "10.0.0.53", "port": 5353 }]
    }))));
    running.do_(&drain("dns", "10.0.0.53"));
    assert_eq!(running.backends("dns"), ["10.0.0.53:5353 0"]);
    running.do_(&Change::RemoveService { service: "web".to_owned() });
    let names: Vec<String> = running.config().services.into_iter().map(|service| service.name).collect();
    assert_eq!(names, ["ftp", "dns"]);
    assert_eq!(
        running.overrides.lines(),
        [
            "service dns: added",
            "service web: removed",
            "service ftp: backend 10.0.1.13 added",
            "service ftp: backend 10.0.1.13 weight 3",
            "service ftp: backend 10.0.1.11 added",
            "service ftp: backend 10.0.1.11 removed",
            "service dns: backend 10.0.0.53:5353 drained",
        ]
    );
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut running = Running::new();
    running.do_(&add("web", &json!({ "address": "10.0.0.11", "port": 9443 })));
    let before = running.overrides.clone();
    let service = |keys: serde_json::Value| Change::AddService(keys.as_object().unwrap().clone());
    for (change, told) in [
        (drain("wep", "10.0.0.11"), r#"there is no service "wep"; did you mean "web"?"#),
        (drain("mail", "10.0.0.11"), r#"there is no service "mail"; the services are web, ftp"#),
        (
            drain("web", "10.0.0.99"),
            r#"service "web" has no backend 10.0.0.99; its backends are 10.0.0.11:8443, 10.0.0.12:443, 10.0.0.11:9443"#,
        ),
        (
            drain("web", "10.0.0.11"),
            r#"10.0.0.11 is several backends of service "web"; name the port of one: 10.0.0.11:8443, 10.0.0.11:9443"#,
        ),
        (
            add("web", &json!({ "address": "10.0.0.12" })),
            r#"service "web" has the backend 10.0.0.12:443 already; `backend weight` and `backend enable` change it"#,
        ),
        (
            add("web", &json!({ "adress": "10.0.0.13" })),
            r#"the new backend has no address; write an IPv4 or IPv6 address under "address""#,
        ),
        (
            add("web", &json!({ "address": "10.0.0.13", "wieght": 3 })),
            r#"service "web" backend 4: wieght: unknown key; did you mean "weight"?"#,
        ),
        (
            add("web", &json!({ "address": "10.0.0.13", "weight": 70_000 })),
            r#"service "web" backend 4: weight: 70000 is not a weight; write a number from 0 to 65535"#,
        ),
        (
            add("web", &json!({ "address": "10.0.0.13", "weight": null })),
            "weight: null is no value; leave the key out",
        ),
        (
            service(json!({ "name": "two", "vip": "203.0.113.10", "port": 443, "protocol": "tcp" })),
            r#"service "two": port: tcp port 443 of 203.0.113.10 is taken by service "web", port 443; give one of them other ports, another VIP or another protocol"#,
        ),
        (service(json!({ "name": "web" })), r#"there is a service "web" already; remove it first"#),
        (service(json!({ "vip": "203.0.113.10" })), r#"the new service has no name; write one under "name""#),
    ] {
        assert_eq!(running.change(&change), Err(told.to_owned()), "{change:?}");
        assert_eq!(running.overrides, before);
    }
    running.do_(&weight("web", "10.0.0.12", 0));
    assert_eq!(
        running.change(&enable("web", "10.0.0.12")),
        Err(r#"backend 10.0.0.12:443 of service "web" is not drained, its weight is 0: give it one with `backend weight`"#
            .to_owned())
    );
}

#[test]
fn a_reload_forgets_what_the_file_has_made_pointless() {
    let mut running = Running::new();
    running.do_(&add("web", &json!({ "address": "10.0.0.13" })));
    running.do_(&drain("web", "10.0.0.12"));
    running.do_(&drain("ftp", "10.0.1.11"));
    running.do_(&weight("ftp", "10.0.1.12", 8));
    let shorter = FILE.split("[[service]]\nname = \"ftp\"").next().unwrap().replace("10.0.0.12", "10.0.0.13");
    let Merged { config, overrides, left_out } = running.reload(&shorter);
    assert!(overrides.is_empty(), "{overrides:?}");
    assert_eq!(config, *running.file.config());
    let mut left_out = left_out;
    left_out.sort();
    assert_eq!(
        left_out,
        [
            "service ftp: backend 10.0.1.11: there is no such service any more",
            "service ftp: backend 10.0.1.12: there is no such service any more",
            "service web: backend 10.0.0.12:443: the file does not have it any more",
            "service web: backend 10.0.0.13:443: the file has it by now",
        ]
    );
}

#[test]
fn they_are_read_as_they_were_written_and_forgotten_until_they_take_their_place() {
    let mut running = Running::new();
    let store = Store::new(running.scratch.path().join("overrides.json"));
    assert!(store.open().unwrap().overrides.is_empty());
    running.do_(&add("web", &json!({ "address": "10.0.0.13", "weight": 3 })));
    running.do_(&drain("ftp", "10.0.1.11"));
    running.do_(&Change::RemoveService { service: "ftp".to_owned() });

    drop(store.prepare(&running.overrides).unwrap());
    assert!(store.open().unwrap().overrides.is_empty());
    store.prepare(&running.overrides).unwrap().take_place().unwrap();
    let opened = store.open().unwrap();
    assert_eq!((opened.overrides, opened.problem), (running.overrides, None));
    assert_eq!(files(&running.scratch), ["f.toml", "overrides.json"]);
}

#[test]
fn a_file_cut_short_or_of_a_later_version_is_kept_aside() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::new(scratch.path().join("overrides.json"));
    for (number, (contents, told)) in [
        (r#"{ "version": 1, "backends": [ { "serv"#, "is damaged (EOF while parsing"),
        (r#"{ "version": 2, "anything": true }"#, "has version 2, and this Lightpath knows version 1"),
        ("", "is damaged"),
    ]
    .into_iter()
    .enumerate()
    {
        fs::write(store.path(), contents).unwrap();
        let opened = store.open().unwrap();
        let kept = scratch.path().join(format!("overrides.json.unusable-{}", number + 1));
        let problem = opened.problem.unwrap();
        assert!(problem.contains(told) && problem.contains(&kept.display().to_string()), "{problem}");
        assert!(opened.overrides.is_empty());
        assert_eq!(fs::read_to_string(kept).unwrap(), contents);
    }
}

#[test]
fn a_service_comes_from_a_file_of_its_own() {
    let text = "[[service]]\nname = \"a\"\nport = 80\n[service.health]\ntype = \"none\"\n[[service.backend]]\naddress = \"10.0.0.1\"\n";
    let expected = json!({ "name": "a", "port": 80, "health": { "type": "none" }, "backend": [{ "address": "10.0.0.1" }] });
    assert_eq!(definition_of(text, "f"), Ok(keys(&expected)));
    for (text, told) in [
        ("", "f: there are 0 services; write one [[service]]"),
        ("[[service]]\n[[service]]\n", "f: there are 2 services; write one [[service]]"),
        ("[node]\n[[service]]\n", "f: node does not belong here; write one [[service]] and nothing else"),
    ] {
        assert_eq!(definition_of(text, "f"), Err(told.to_owned()));
    }
}

fn files(scratch: &TempDir) -> Vec<String> {
    let path = |entry: fs::DirEntry| PathBuf::from(entry.file_name()).display().to_string();
    let mut names: Vec<String> =
        fs::read_dir(scratch.path()).unwrap().map(|entry| path(entry.unwrap())).collect();
    names.sort();
    names
}
