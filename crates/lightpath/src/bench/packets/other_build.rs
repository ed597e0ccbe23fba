//! Two builds of Lightpath against each other, round by round: is the newer one slower?
//!
//! The other build is a process of its own, with its own idea of tables, that measures a round whenever it is told to. So builds
//! can be compared whatever has changed between them, as long as their rows have the same names.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::Wanted;
use super::lanes::Lanes;
use crate::bench::progress::Progress;
use crate::bench::report::compared::{Compared, Comparison};
use crate::bench::statistics::{low, paired_ratio};
use crate::output::print_line;

/// A row in one round, as builds tell each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    name: String,
    flows: u32,
    ns: f64,
}

/// Measures a round for each line on standard input, and answers each with a line of JSON.
pub(in crate::bench) fn in_step(wanted: &Wanted) -> Result<()> {
    let mut lanes = Lanes::open(wanted)?;
    for line in std::io::stdin().lines() {
        line?;
        print_line(serde_json::to_string(&round(&mut lanes)?)?)?;
    }
    Ok(())
}

fn round(lanes: &mut Lanes) -> Result<Vec<Sample>> {
    lanes.run_round()?;
    let samples = lanes.last_round().map(|(row, ns)| Sample { name: row.name.clone(), flows: row.flows, ns });
    Ok(samples.collect())
}

/// Measures this build and another one in turn.
pub(in crate::bench) fn compare(
    other: &Path,
    wanted: &Wanted,
    limit: f64,
    progress: &Progress,
) -> Result<Compared> {
    progress.say("loading the programs of both builds");
    // The other process first: from where this one goes on to, a relative path may lead elsewhere.
    let mut other = OtherBuild::start(other, wanted)?;
    let mut lanes = Lanes::open(wanted)?;
    let mut rounds = Vec::new();
    progress.begin("measuring both builds", u64::from(wanted.rounds));
    for number in 0..wanted.rounds {
        let (mine, theirs);
        if number % 2 == 0 {
            mine = round(&mut lanes)?;
            theirs = other.round()?;
        } else {
            theirs = other.round()?;
            mine = round(&mut lanes)?;
        }
        rounds.push((mine, theirs));
        progress.step();
    }
    compared(&rounds, limit)
}

fn compared(rounds: &[(Vec<Sample>, Vec<Sample>)], limit: f64) -> Result<Compared> {
    let (first, _) = rounds.first().context("no round was measured")?;
    let mut rows = Vec::new();
    for Sample { name, flows, .. } in first {
        let of = |samples: &[Sample]| {
            samples
                .iter()
                .find(|sample| sample.name == *name && sample.flows == *flows)
                .map(|sample| sample.ns)
        };
        let pairs = rounds.iter().filter_map(|(mine, theirs)| Some((of(mine)?, of(theirs)?)));
        let (mine, theirs): (Vec<f64>, Vec<f64>) = pairs.unzip();
        if !mine.is_empty() {
            rows.push(Comparison {
                name: name.clone(),
                flows: *flows,
                base_ns: low(&theirs),
                ns: low(&mine),
                times_base: paired_ratio(&mine, &theirs),
            });
        }
    }
    ensure!(!rows.is_empty(), "the builds have no row in common");
    Ok(Compared { limit, rows })
}

/// A process of the other build.
struct OtherBuild {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl OtherBuild {
    fn start(program: &Path, wanted: &Wanted) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["bench", "packets", "--in-step"]);
        for pattern in &wanted.rows {
            command.arg("--rows").arg(pattern.as_str());
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{} has no standard input and output", program.display());
        };
        Ok(Self { child, questions, answers: BufReader::new(answers) })
    }

    fn round(&mut self) -> Result<Vec<Sample>> {
        let mut answer = String::new();
        let asked = self.questions.write_all(b"\n");
        if asked.is_err() || self.answers.read_line(&mut answer)? == 0 {
            bail!(
                "the other build has ended ({}); it must know `bench packets --in-step`",
                self.child.wait()?
            );
        }
        serde_json::from_str(&answer).context("the other build answers with something else than rows")
    }
}

impl Drop for OtherBuild {
    fn drop(&mut self) {
        // Both fail only for a process that is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str, ns: f64) -> Sample {
        Sample { name: name.to_owned(), flows: 1, ns }
    }

    #[test]
    fn rows_are_compared_round_by_round_and_only_those_that_both_have() {
        let rounds = [(100.0, 50.0), (60.0, 30.0), (110.0, 100.0)].map(|(mine, theirs)| {
            (vec![sample("row", mine), sample("new", 1.0)], vec![sample("gone", 1.0), sample("row", theirs)])
        });
        let compared = compared(&rounds, 1.1).unwrap();
        assert_eq!(compared.rows.len(), 1);
        let row = &compared.rows[0];
        assert_eq!((row.name.as_str(), row.times_base, row.ns, row.base_ns), ("row", 2.0, 60.0, 30.0));
        assert!(!compared.passed());
    }

    #[test]
    fn builds_without_a_common_row_cannot_be_compared() {
        let rounds = [(vec![sample("one", 1.0)], vec![sample("other", 1.0)])];
        assert!(compared(&rounds, 1.1).is_err());
    }
}
