//! A guide taken apart.
//!
//! Its first line names the network that it is for, in a comment that readers do not see:
//! `<!-- network: two-armed, 2 backends, pages on 8080 -->`. What comes then is prose and fenced blocks:
//!
//! - `console`: lines `HOST# COMMAND` and what the command prints, until the next such line. Nothing after a command means that what
//!   it prints does not matter. A command that ends in `&` goes on in the background, until `kill %1`.
//! - `toml FILE`: a file to write.
//! - `text`: for the reader only.
//!
//! What readers have done already stands in a comment: `<!-- run: HOST# COMMAND -->`.

/// What a reader does, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Writes a file.
    File { path: String, text: String },
    /// Runs a command on a host.
    Command { host: String, command: String, expected: Vec<String>, line: usize },
}

/// The network of a guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network {
    /// Whether the balancer is between clients and backends.
    pub(super) two_armed: bool,
    pub(super) backends: u8,
    /// The port that backends serve pages on.
    pub(super) port: u16,
}

/// The network and the steps of a guide.
pub(super) fn parse(guide: &str) -> (Network, Vec<Step>) {
    let first = guide.lines().next().unwrap_or_default();
    let network = network(first).unwrap_or_else(|| panic!("no network in {first:?}"));
    let mut steps = Vec::new();
    let mut lines = guide.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let hidden = line.strip_prefix("<!-- run: ").and_then(|line| line.strip_suffix(" -->"));
        steps.extend(hidden.into_iter().flat_map(|command| commands(&[(number + 1, command)])));
        let Some(kind) = line.strip_prefix("```") else { continue };
        let block: Vec<(usize, &str)> = lines
            .by_ref()
            .map(|(number, line)| (number + 1, line))
            .take_while(|(_, line)| *line != "```")
            .collect();
        match kind.split_once(' ').unwrap_or((kind, "")) {
            ("console", "") => steps.extend(commands(&block)),
            ("toml", path) if path.starts_with('/') => {
                let text = block.iter().flat_map(|(_, line)| [*line, "\n"]).collect();
                steps.push(Step::File { path: path.into(), text });
            }
            ("text", "") => {}
            _ => panic!("line {}: a block of an unknown kind: {line:?}", number + 1),
        }
    }
    (network, steps)
}

fn network(line: &str) -> Option<Network> {
    let parts = line.strip_prefix("<!-- network: ")?.strip_suffix(" -->")?;
    let [arms, backends, pages] = parts.split(", ").collect::<Vec<_>>()[..] else { return None };
    let two_armed = match arms {
        "two-armed" => true,
        "one-armed" => false,
        _ => return None,
    };
    let backends = backends.strip_suffix(" backends")?.parse().ok()?;
    Some(Network { two_armed, backends, port: pages.strip_prefix("pages on ")?.parse().ok()? })
}

fn commands(block: &[(usize, &str)]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (line, text) in block {
        if let Some((host, command)) = prompt(text) {
            let (host, command) = (host.into(), command.into());
            steps.push(Step::Command { host, command, expected: Vec::new(), line: *line });
        } else if let Some(Step::Command { expected, .. }) = steps.last_mut() {
            expected.push((*text).to_owned());
        } else {
            panic!("line {line}: {text:?} is of no command");
        }
    }
    steps
}

/// Host and command of a line that is typed.
fn prompt(line: &str) -> Option<(&str, &str)> {
    let (host, command) = line.split_once("# ").or_else(|| line.split_once("$ "))?;
    let is_host =
        !host.is_empty() && host.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    is_host.then_some((host, command))
}

/// Whether what came is what a guide shows.
///
/// Lines are compared word by word. Numbers, MAC addresses and hashes match any of their kind, because counters, times and addresses
/// that a kernel chose are others each time. A line `...` stands for any lines.
pub(super) fn matches(expected: &[String], came: &[&str]) -> bool {
    match expected.split_first() {
        None => came.is_empty(),
        Some((line, rest)) if line.trim() == "..." => {
            (0..=came.len()).any(|skipped| matches(rest, &came[skipped..]))
        }
        Some((line, rest)) => came
            .split_first()
            .is_some_and(|(first, others)| words(line) == words(first) && matches(rest, others)),
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(kind).collect()
}

/// A word, or what stands for all of its kind.
fn kind(word: &str) -> String {
    let bare = word.trim_matches(['(', ')', ',', ';']);
    let is_number = bare.starts_with(|first: char| first.is_ascii_digit()) && bare.parse::<f64>().is_ok();
    let parts: Vec<&str> = bare.split(':').collect();
    let is_hex = |part: &str| part.chars().all(|letter| letter.is_ascii_hexdigit());
    let is_mac = parts.len() == 6 && parts.iter().all(|part| part.len() == 2 && is_hex(part));
    let is_hash = bare.len() == 16 && is_hex(bare);
    for (holds, stands) in [(is_number, "NUMBER"), (is_mac, "MAC"), (is_hash, "HASH")] {
        if holds {
            return word.replace(bare, stands);
        }
    }
    word.to_owned()
}

#[test]
fn guides_are_taken_apart_and_compared() {
    let guide = "<!-- network: one-armed, 3 backends, pages on 80 -->\n# Title\n```toml /etc/a\nb = 1\n```\ntext\n```console\n\
                 balancer# lightpath check\nvalid, 2 services\nclient$ curl x\n```\n";
    let (network, steps) = parse(guide);
    assert_eq!(network, Network { two_armed: false, backends: 3, port: 80 });
    assert_eq!(steps.len(), 3);
    assert_eq!(steps[0], Step::File { path: "/etc/a".into(), text: "b = 1\n".into() });
    let Step::Command { host, expected, line, .. } = &steps[1] else { panic!("{steps:?}") };
    assert_eq!((host.as_str(), expected.len(), *line), ("balancer", 1, 8));

    let shown = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert!(matches(&shown(&["a  12 (33.4) da:8e:75:2a:bc:66"]), &["a 7 (1.5) 01:02:03:04:05:06"]));
    assert!(matches(&shown(&["a", "...", "z"]), &["a", "b", "c", "z"]));
    assert!(!matches(&shown(&["a 12"]), &["a b"]) && !matches(&shown(&["10.0.0.1"]), &["10.0.0.2"]));
    assert!(!matches(&shown(&["a"]), &["a", "b"]) && !matches(&shown(&["a", "b"]), &["a"]));
}
