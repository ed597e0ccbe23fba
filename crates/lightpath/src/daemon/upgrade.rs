//! Another version takes over: it is tried by a process of its own while this one goes on, and then executed in the place of this one.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use hyper::StatusCode;
use lightpath_control::config::Loaded;
use lightpath_control::hops;
use lightpath_control::overrides::Store;
use lightpath_dataplane::{Dataplane, Interface};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::answers::send;
use super::server::Answer;
use super::smoke::{self, Tried};
use super::{Daemon, merged, spec};
use crate::changed::Exchanged;
use crate::event::{About, Kind};
use crate::instance::Instance;
use crate::problem::Problem;

/// How long a trial may take, on a host that is busy with other things too.
const PATIENCE: Duration = Duration::from_secs(50);

/// A version that is being tried.
#[derive(Debug)]
pub(super) struct Trial {
    binary: PathBuf,
    /// Id of the program that runs.
    before: u32,
    /// What it said when it was good.
    outcome: JoinHandle<Result<String, Problem>>,
    to: Answer<Exchanged>,
}

impl Trial {
    /// What comes of it; never, if there is none.
    pub(super) async fn end(trial: &mut Option<Self>) -> Result<String, Problem> {
        let Some(trial) = trial else { return std::future::pending().await };
        let ended = (&mut trial.outcome).await;
        ended.unwrap_or_else(|error| Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())))
    }
}

impl Daemon {
    /// Begins to try another version.
    pub(super) fn begin_upgrade(&mut self, binary: PathBuf, to: Answer<Exchanged>) {
        let unusable = |problem: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, problem);
        let before = self.kernel.0.info().map_err(|error| unusable(error.to_string()));
        let before = before.and_then(|info| {
            let given = binary.display();
            if binary.is_absolute() {
                Ok(info.id)
            } else {
                Err(unusable(format!("{given} is not an absolute path")))
            }
        });
        match before {
            Ok(before) => {
                let outcome = tokio::spawn(try_as_child(binary.clone()));
                self.trial = Some(Trial { binary, before, outcome, to });
            }
            Err(problem) => self.refuse_upgrade(problem, to),
        }
    }

    /// Takes what came of the trial: a version that is good takes over after the answer.
    pub(super) fn end_trial(&mut self, outcome: Result<String, Problem>) {
        let Some(Trial { binary, before, to, .. }) = self.trial.take() else { return };
        match outcome {
            Ok(tried) => {
                let about = About { cause: Some(tried.clone()), ..About::default() };
                self.events.tell(Kind::UpgradeBegan, "another version takes over", about);
                self.successor = Some(binary);
                send(to, Ok(Exchanged { before, after: None, tried: Some(tried) }));
            }
            Err(problem) => self.refuse_upgrade(problem, to),
        }
    }

    fn refuse_upgrade(&self, problem: Problem, to: Answer<Exchanged>) {
        self.events.tell(Kind::UpgradeRefused, "the upgrade is refused", About::cause(&problem));
        send(to, Err(problem));
    }

    /// Refuses to change what a trial looks at.
    pub(super) fn is_free<T>(&self, to: Answer<T>) -> Option<Answer<T>> {
        if self.trial.is_none() {
            return Some(to);
        }
        let detail = "nothing is changed: another version is being tried on what runs; ask again in a moment";
        send(to, Err(Problem::new(StatusCode::CONFLICT, detail)));
        None
    }
}

/// Runs the trial as a child, which is killed if it takes too long.
async fn try_as_child(binary: PathBuf) -> Result<String, Problem> {
    let given = binary.display();
    let mut command = Command::new(&binary);
    command.args(arguments()).arg("--try").kill_on_drop(true);
    let conflict =
        |problem: String| Problem::new(StatusCode::CONFLICT, format!("nothing is changed: {problem}"));
    match timeout(PATIENCE, command.output()).await {
        Err(_) => Err(conflict(format!(
            "{given} was tried, and did not come to an end within {} s",
            PATIENCE.as_secs()
        ))),
        Ok(Err(error)) => {
            let detail = format!("cannot run {given}: {error}");
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail))
        }
        Ok(Ok(Output { status, stderr, .. })) if !status.success() => {
            let told = String::from_utf8_lossy(&stderr);
            Err(conflict(format!("{given} was tried on the live tables, and said: {}", told.trim())))
        }
        Ok(Ok(Output { stdout, .. })) => Ok(String::from_utf8_lossy(&stdout).trim().to_owned()),
    }
}

/// What this process was started with, but for another build of the packet path.
fn arguments() -> Vec<OsString> {
    let mut arguments = Vec::new();
    let mut given = env::args_os().skip(1);
    while let Some(argument) = given.next() {
        if argument == "--bpf-object" {
            given.next();
        } else {
            arguments.push(argument);
        }
    }
    arguments
}

/// Tries the program that this process would run on the live tables, and leaves everything as it is.
pub(crate) async fn try_out(loaded: &Loaded, instance: &Instance) -> Result<Tried> {
    let (config, _) = merged(loaded, &Store::new(&instance.overrides))?;
    let interfaces = instance.pins.linked_interfaces()?;
    let Some(name) = interfaces.first() else {
        bail!("nothing runs that it could be tried on; `lightpath run` starts it");
    };
    let vlans = hops::vlans().await.context("cannot see the interfaces of this host")?;
    let interface = Interface::named(name)?.index;
    // The daemon goes on meanwhile: what it changes between a look at its tables and the program's makes the two differ.
    let try_again = |dataplane: Dataplane| {
        let run = || smoke::run(&dataplane, interface);
        run().or_else(|_| run()).or_else(|_| run())
    };
    let tried =
        Dataplane::open(&instance.pins, &spec(&config, &vlans)?).map_err(Error::from).and_then(try_again);
    instance.pins.forget_next()?;
    tried.context("the program is no good")
}

/// Goes on as another version, in this process.
pub(super) fn become_successor(binary: &Path) -> Error {
    use std::os::unix::process::CommandExt;

    let error = std::process::Command::new(binary).args(arguments()).exec();
    Error::new(error).context(format!("cannot go on as {}", binary.display()))
}
