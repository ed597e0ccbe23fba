//! `lightpath top`: services and backends live, on a terminal. It asks the daemon once a second and draws what has changed.

mod app;
mod draw;
mod panes;

use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use console::Term;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::End;
use super::status::ask;
use crate::instance::Instance;
use crate::status::Status;
use app::App;

/// How often the daemon is asked: rates are of two seconds.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a key may wait.
const BLINK: Duration = Duration::from_millis(50);

/// Shows it until somebody has seen enough.
pub(super) fn run(instance: &Instance) -> Result<ExitCode> {
    if !Term::stdout().is_term() {
        bail!("top needs a terminal; `lightpath status --watch` does without");
    }
    // Where there is no daemon, that is said in the ordinary way.
    let mut app = App::new(ask(instance)?);
    let mut end = End::new()?;
    let (tell, told) = channel();
    let instance = instance.clone();
    thread::spawn(move || follow(&instance, &tell));
    let mut terminal = ratatui::try_init().context("the terminal cannot be used")?;
    let ended = loop {
        if let Err(error) = terminal.draw(|frame| draw::draw(frame, &mut app)) {
            break Err(error);
        }
        match pressed() {
            Ok(keys) => keys.into_iter().for_each(|key| app.press(key)),
            Err(error) => break Err(error),
        }
        for answer in told.try_iter() {
            app.see(answer);
        }
        if app.is_over() || end.comes_within(Duration::ZERO) {
            break Ok(());
        }
    };
    ratatui::restore();
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// The keys that are pressed, after a short wait for the first.
fn pressed() -> std::io::Result<Vec<event::KeyEvent>> {
    let mut keys = Vec::new();
    let mut patience = BLINK;
    while event::poll(patience)? {
        if let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            keys.push(key);
        }
        patience = Duration::ZERO;
    }
    Ok(keys)
}

/// Asks the daemon until nobody wants to know any more.
fn follow(instance: &Instance, tell: &Sender<Result<Status>>) {
    while tell.send(ask(instance)).is_ok() {
        thread::sleep(PAUSE);
    }
}
