//! A browser without a screen, in a namespace, driven by WebDriver (W3C Recommendation): what a person would see.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;

use lightpath_lab::Namespace;
use serde_json::{Value, json};

use super::{PATIENCE, Server, eventually};

const DRIVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9515);

/// Chromium with one window.
#[derive(Debug)]
pub(crate) struct Browser {
    host: Namespace,
    session: String,
    _driver: Server,
}

impl Browser {
    /// Starts one on a host, with its files below `directory`.
    pub(crate) fn start(host: &Namespace, directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        // The browser is a child of the driver's: in a process namespace of their own it ends with it, however that ends.
        let mut command = host.command("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "chromedriver"]);
        command.arg(format!("--port={}", DRIVER.port())).env("HOME", directory).env("TMPDIR", directory);
        let driver = Server::start(&mut command, "chromedriver", directory).listens(host, DRIVER);
        let mut browser = Self { host: host.clone(), session: String::new(), _driver: driver };
        let arguments = [
            "--headless=new",
            // It runs as root, in namespaces of its own anyway.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-background-networking",
            "--hide-scrollbars",
            &format!("--user-data-dir={}", directory.join("profile").display()),
        ];
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": 60_000 },
        } } });
        let session = browser.send("POST", "/session", &capabilities);
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        browser
    }

    /// Opens a page.
    pub(crate) fn open(&self, url: &str) {
        self.command("/url", &json!({ "url": url }));
    }

    /// What a script returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What the promise of a script comes to.
    pub(crate) fn wait_for(&self, promise: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1]; ({promise}).then(done, (error) => done({{ failed: String(error) }}));"
        );
        self.command("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Makes the window so large, in pixels of the style sheet.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        // A window of Chromium's own is not narrower than 500 pixels; what it makes of a phone is.
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Whether the person has asked for dark pages.
    pub(crate) fn prefers(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
    }

    /// Presses a key, by its name in the DevTools protocol.
    pub(crate) fn press(&self, key: &str) {
        for kind in ["rawKeyDown", "char", "keyUp"] {
            let (code, text) = match key {
                "Enter" => (13, "\r"),
                "Tab" => (9, ""),
                other => panic!("{other} has no code here"),
            };
            if kind == "char" && text.is_empty() {
                continue;
            }
            let event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
            self.devtools("Input.dispatchKeyEvent", &event);
        }
    }

    /// The window as PNG.
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        let text = self.send("GET", &format!("{}/screenshot", self.session), &Value::Null);
        decoded(text.as_str().unwrap())
    }

    /// What the console was told since it was last asked.
    pub(crate) fn console(&self) -> Vec<Value> {
        self.command("/se/log", &json!({ "type": "browser" })).as_array().unwrap().clone()
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.command("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        self.send("POST", &format!("{}{path}", self.session), body)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = self.host.run(|| TcpStream::connect(DRIVER)).unwrap().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let (head, body) = answer(&mut BufReader::new(stream)).unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {head}"));
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {}", answer["value"]["message"]);
        answer["value"].clone()
    }

    /// Waits until a script returns true.
    pub(crate) fn shows(&self, claim: &str, script: &str) {
        eventually(claim, || self.run(script) == true);
    }
}

/// Head and body of an answer: the driver leaves the connection open after it.
fn answer(stream: &mut impl BufRead) -> io::Result<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse().ok());
    let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    stream.read_exact(&mut body)?;
    Ok((head, body))
}

/// The bytes of a text in base64 (RFC 4648, section 4).
fn decoded(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters: Vec<u8> = text.bytes().filter(|letter| *letter != b'=').collect();
    let mut bytes = Vec::with_capacity(letters.len() * 3 / 4);
    for group in letters.chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, letter| bits << 6 | u32::from(value(*letter)));
        let bits = bits << (6 * (4 - group.len()));
        bytes.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}
