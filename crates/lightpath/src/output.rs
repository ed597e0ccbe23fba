//! What a command answers, on standard output.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints an answer. A reader that has seen enough, as `head` has, is no error.
pub(crate) fn print(answer: impl Display) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match write!(output, "{answer}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Prints an answer and ends its line.
pub(crate) fn print_line(answer: impl Display) -> io::Result<()> {
    print(format_args!("{answer}\n"))
}
