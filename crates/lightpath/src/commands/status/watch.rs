//! The status, again and again: on a terminal in the same place, elsewhere one after the other.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Result;
use console::{Term, truncate_str};

use crate::commands::End;
use crate::output::print;

/// Another screen, without a cursor (xterm's private modes 1049 and 25).
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// The screen and cursor from before.
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// To the upper left, the rest of a line away, all that is below away (ECMA-48: CUP, EL, ED).
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Shows what `page` says every `pause`, until SIGINT or SIGTERM. Should it fail later on, it is shown why.
pub(super) fn watch(pause: Duration, mut page: impl FnMut() -> Result<String>) -> Result<()> {
    let mut end = End::new()?;
    let mut next = page()?;
    let screen = Screen::enter()?;
    loop {
        screen.show(&next)?;
        if end.comes_within(pause) {
            return Ok(());
        }
        next = page().unwrap_or_else(|error| format!("{error:#}\n"));
    }
}

/// Standard output; dropping it leaves a terminal as it was.
struct Screen(Option<Term>);

impl Screen {
    fn enter() -> io::Result<Self> {
        let term = Some(Term::stdout()).filter(Term::is_term);
        if term.is_some() {
            print(ENTER)?;
        }
        Ok(Self(term))
    }

    fn show(&self, page: &str) -> io::Result<()> {
        let Some(term) = &self.0 else { return print(format_args!("{page}\n")) };
        let (rows, columns) = term.size();
        print(fit(page, rows.into(), columns.into()))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.0.is_some() {
            // There is nobody to tell if the terminal is gone.
            let _ = io::stdout().write_all(LEAVE.as_bytes()).and_then(|()| io::stdout().flush());
        }
    }
}

/// A page as it is drawn over the one before, cut to the size of the terminal. The last line says how much is cut off.
fn fit(page: &str, rows: usize, columns: usize) -> String {
    let total = page.lines().count();
    let room = if total > rows { rows.saturating_sub(1) } else { rows };
    let mut lines: Vec<String> =
        page.lines().take(room).map(|line| truncate_str(line, columns, "").into_owned()).collect();
    if total > rows {
        let rest = format!("{} lines more; --service and --state choose what is shown", total - room);
        lines.push(truncate_str(&rest, columns, "").into_owned());
    }
    // Cleared before it is written to: at the end of a full line, the cursor still stands on its last character.
    let last = lines.pop().unwrap_or_default();
    let above: String = lines.iter().flat_map(|line| [CLEAR_LINE, line, "\r\n"]).collect();
    format!("{HOME}{above}{CLEAR_BELOW}{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fits_the_terminal() {
        let plain = |page: &str, rows, columns| {
            console::strip_ansi_codes(&fit(page, rows, columns)).replace("\r\n", "\n")
        };
        assert_eq!(plain("one\ntwo\n", 2, 80), "one\ntwo");
        assert_eq!(plain("one two\n", 1, 3), "one");
        let cut = plain("one\ntwo\nthree\nfour\n", 3, 80);
        assert_eq!(cut, "one\ntwo\n2 lines more; --service and --state choose what is shown");
        // The cursor must not go below the last line, or the terminal scrolls.
        assert_eq!(cut.matches('\n').count(), 2);
    }
}
