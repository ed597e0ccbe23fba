//! What thousands of checks cost, in a test program of its own, because others would add to what is measured: the processor time of their thread, in which loopback also does the receiving kernel's work.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use lightpath_control::config::parse;
use lightpath_control::health::{Checks, Position, Targets, Ways};
use lightpath_control::model::{Backend, Config};
use socket2::{Domain, Socket, Type};

const BACKENDS: u16 = 5000;
const INTERVAL: Duration = Duration::from_secs(2);
/// Of one processor. Without optimisation the code takes several times as long.
const MOST: f64 = if cfg!(debug_assertions) { 1.0 } else { 0.25 };

/// A server on every address of loopback.
fn serve(answer: Option<Vec<u8>>) -> u16 {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([0, 0, 0, 0], 0)).into()).unwrap();
    // A busy machine may not come to accept for a while; a queue that overflows costs whoever is not in it a second.
    socket.listen(4096).unwrap();
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { continue };
            if let Some(answer) = &answer {
                // All of the request comes at once.
                let _ = connection.read(&mut [0; 1024]);
                let _ = connection.write_all(answer);
            }
        }
    });
    port
}

fn config(kind: &str, backends: &[SocketAddr]) -> Config {
    let text = format!(
        "[node]\ninterfaces = [\"eth0\"]\n[[service]]\nname = \"web\"\nvip = \"203.0.113.10\"\nport = 80\n\
         protocol = \"tcp\"\n[service.health]\ntype = \"{kind}\"\ninterval = \"2s\"\ntimeout = \"2s\"\n"
    );
    let mut config = parse(&text, "f.toml").unwrap();
    let of =
        |to: &SocketAddr| Backend { address: to.ip(), port: Some(to.port()), weight: 1, server_id: None };
    config.services[0].backends = backends.iter().map(of).collect();
    config
}

/// Part of a processor that the thread of the checks takes.
fn measure(kind: &str, port: u16) -> f64 {
    let backends: Vec<SocketAddr> = (0..BACKENDS)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            ([127, 2, high, low], port).into()
        })
        .collect();
    let before: Vec<String> = threads();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut checks = Checks::start(Targets::of(&config(kind, &backends), &Ways::default()).unwrap()).unwrap();
    runtime.block_on(checks.settle(Duration::from_mins(1)));
    let thread = threads().into_iter().find(|id| !before.contains(id)).expect("a thread of its own");
    // By then they are spread over the interval.
    thread::sleep(INTERVAL);
    let (begun, time) = (Instant::now(), processor_time(&thread));
    thread::sleep(3 * INTERVAL);
    let taken = processor_time(&thread).saturating_sub(time).as_secs_f64() / begun.elapsed().as_secs_f64();
    let view = checks.peek();
    let is_up = |backend: &&SocketAddr| {
        let standing = view.standing("web", (backend.ip(), Some(backend.port()))).unwrap();
        matches!(standing.position, Position::Up { .. })
    };
    let up = backends.iter().filter(is_up).count();
    assert!(up > backends.len() * 99 / 100, "what fails costs less: only {up} are up");
    taken
}

/// The threads that make checks.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let ids = tasks.map(|task| task.unwrap().file_name().into_string().unwrap());
    let name = |id: &String| fs::read_to_string(format!("/proc/self/task/{id}/comm")).unwrap_or_default();
    ids.filter(|id| name(id).trim_end() == "health").collect()
}

/// Nanoseconds on a processor, the first number there (kernel/sched/stats.c and Documentation/scheduler/sched-stats.rst).
fn processor_time(thread: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn five_thousand_backends_every_two_seconds_take_a_quarter_of_a_processor_at_most() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";
    let tcp = measure("tcp", serve(None));
    let http = measure("http", serve(Some(answer.to_vec())));
    println!("of one processor: {:.1} % for tcp, {:.1} % for http", tcp * 100.0, http * 100.0);
    assert!(tcp < MOST && http < MOST, "{tcp} {http}");
}
