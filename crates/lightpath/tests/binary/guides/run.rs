//! Does what a guide says, on the hosts of a network made for it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use lightpath_lab::{HttpServer, KillOnDrop, Namespace, serve_http};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::page::{Network, Step, matches, parse};
use crate::common::{Bed, LIGHTPATH, finish};

/// How long a command may take, and how long one that only asks is asked again until it says what the guide does.
const PATIENCE: Duration = Duration::from_secs(30);

/// Directories that a guide writes to; it gets its own.
const OWN: [&str; 3] = ["/etc", "/run", "/var/lib"];

/// Fails unless every command of a guide does what the guide says.
pub(super) fn run(name: &str) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides").join(name).with_extension("md");
    let (network, steps) = parse(&fs::read_to_string(path).unwrap());
    let reader = Reader::new(name, &network);
    let mut running = Vec::new();
    for step in &steps {
        match step {
            Step::File { path, text } => {
                fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Step::Command { host, command, expected, line } => {
                let place = format!("docs/guides/{name}.md:{line}: {host}: {command}");
                if command == "kill %1" {
                    reader.end(running.pop().unwrap_or_else(|| panic!("{place}: nothing runs")));
                } else if let Some(command) = command.strip_suffix('&') {
                    running.push(reader.start(host, command.trim(), &place));
                } else {
                    reader.ask(host, command, expected, &place);
                }
            }
        }
    }
    assert!(steps.len() > 2, "{name} has hardly anything to do");
}

/// Whoever follows a guide.
struct Reader {
    bed: Bed,
    _pages: Vec<HttpServer>,
}

impl Reader {
    fn new(name: &str, network: &Network) -> Self {
        let bed = if network.two_armed {
            Bed::two_armed(network.backends)
        } else {
            Bed::one_armed(network.backends)
        };
        for directory in OWN {
            cover(&bed.scratch, directory);
        }
        let everywhere = SocketAddr::from(([0, 0, 0, 0], network.port));
        let serve = |(number, backend): (usize, &lightpath_lab::topology::Host)| {
            serve_http(&backend.ns, everywhere, &format!("backend{}", number + 1)).unwrap()
        };
        let pages = bed.backends.iter().enumerate().map(serve).collect();
        println!("{name}: {network:?}");
        Self { bed, _pages: pages }
    }

    fn host(&self, name: &str, place: &str) -> &Namespace {
        let backend = || name.strip_prefix("backend")?.parse::<usize>().ok()?.checked_sub(1);
        match name {
            "balancer" => &self.bed.balancer.ns,
            "client" => &self.bed.client.ns,
            _ => backend()
                .and_then(|number| self.bed.backends.get(number))
                .map_or_else(|| panic!("{place}: there is no such host"), |host| &host.ns),
        }
    }

    /// Starts what goes on in the background. A daemon answers before the next step.
    fn start(&self, host: &str, command: &str, place: &str) -> KillOnDrop {
        let command = match command {
            // Hosts share a file system here, in which a host has one of each kind.
            _ if command.starts_with("lightpath decap") => {
                format!(
                    "exec unshare --mount bash -ec 'mount -t bpf bpf /sys/fs/bpf; mount -t tmpfs tmpfs /run; exec {command}'"
                )
            }
            _ if command.starts_with("lightpath") => format!("exec {command}"),
            _ => command.to_owned(),
        };
        let mut shell = self.host(host, place).command("bash");
        shell.args(["-ec", &format!("{}{command}", path())]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = KillOnDrop(shell.spawn().unwrap());
        if command.starts_with("exec lightpath run") {
            let deadline = Instant::now() + PATIENCE;
            while !self.output(host, "lightpath status").0 {
                assert!(child.0.try_wait().unwrap().is_none(), "{place}: it has ended");
                assert!(Instant::now() < deadline, "{place}: it does not answer");
                thread::sleep(Duration::from_millis(50));
            }
        } else {
            // Anything else has a second to begin.
            thread::sleep(Duration::from_secs(1));
            assert!(child.0.try_wait().unwrap().is_none(), "{place}: it has ended");
        }
        child
    }

    /// Ends what was started last, as Ctrl-C would.
    fn end(&self, mut job: KillOnDrop) {
        kill(Pid::from_raw(job.0.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert!(job.0.wait().unwrap().success(), "{}", self.bed.scratch.display());
    }

    /// Runs a command to its end. What only asks is asked again, because counters and states follow in their time.
    fn ask(&self, host: &str, command: &str, expected: &[String], place: &str) {
        let asks = ["lightpath status", "lightpath drops", "lightpath explain", "curl", "ip "];
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.host(host, place);
            let (succeeded, output) = self.output(host, command);
            println!("{place}\n{output}");
            let lines: Vec<&str> = output.lines().collect();
            if succeeded && (expected.is_empty() || matches(expected, &lines)) {
                return;
            }
            let again = asks.iter().any(|asking| command.starts_with(asking)) && Instant::now() < deadline;
            assert!(again, "{place}\nexpected:\n{}\ncame ({succeeded}):\n{output}", expected.join("\n"));
            thread::sleep(Duration::from_millis(300));
        }
    }

    /// Whether a command succeeded, and all that it printed.
    fn output(&self, host: &str, command: &str) -> (bool, String) {
        let mut shell = self.host(host, command).command("bash");
        shell.args(["-ec", &format!("{}{command}", path())]);
        let output = finish(&mut shell, PATIENCE);
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }
}

/// The shell's search path, with the program under test first.
fn path() -> String {
    format!("PATH={}:$PATH; ", Path::new(LIGHTPATH).parent().unwrap().display())
}

/// Gives this thread a view of a directory whose changes nobody else sees.
fn cover(scratch: &Path, directory: &str) {
    let place = |what: &str| scratch.join(format!("{}-{what}", directory.replace('/', "")));
    let (upper, work) = (place("upper"), place("work"));
    fs::create_dir(&upper).unwrap();
    fs::create_dir(&work).unwrap();
    let options = format!("lowerdir={directory},upperdir={},workdir={}", upper.display(), work.display());
    mount(Some("overlay"), directory, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .unwrap_or_else(|error| panic!("an overlay over {directory} cannot be mounted: {error}"));
}
