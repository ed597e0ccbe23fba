//! A terminal of 80 columns and 24 rows, with a keyboard.

use std::io::{Read, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use lightpath_lab::KillOnDrop;
use vt100::Parser;

use super::eventually;

/// A command on a terminal, and what that shows.
pub(crate) struct Terminal {
    child: KillOnDrop,
    keyboard: ChildStdin,
    output: Receiver<Vec<u8>>,
    pub(crate) screen: Parser,
    /// All that was sent to the terminal.
    sent: Vec<u8>,
}

impl Terminal {
    /// Starts a command that is looked up as shells do.
    pub(crate) fn start(command: &Command) -> Self {
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
        script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
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

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
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
    pub(crate) fn shows(&mut self, claim: &str, holds: impl Fn(&str) -> bool) -> String {
        let mut seen = String::new();
        eventually(claim, || {
            seen = self.look();
            holds(&seen)
        });
        seen
    }

    /// Waits for the end, after which cursor, screen and settings are those from before.
    pub(crate) fn is_left_as_it_was(&mut self) {
        eventually("the terminal is closed", || self.child.0.try_wait().unwrap().is_some());
        // What was written last may still be on its way.
        let settings = |sent: &str| -> Vec<String> {
            sent.lines().filter(|line| line.contains("icanon")).map(|line| line.trim().to_owned()).collect()
        };
        let mut seen = Vec::new();
        eventually("the settings are printed twice", || {
            self.look();
            seen = settings(&String::from_utf8_lossy(&self.sent));
            seen.len() == 2
        });
        assert_eq!(seen[0], seen[1]);
        assert!(!seen[0].contains("-icanon"), "{seen:?}");
        assert!(!self.screen.screen().hide_cursor() && !self.screen.screen().alternate_screen());
    }
}
