//! The two streams of a command. The server logs instead.

use std::io::{self, Write};

/// Writes a text to stdout.
///
/// # Errors
/// When nobody reads any more.
pub fn stdout(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes a line to stderr. Who closed it does not want to know.
pub fn stderr(line: &str) {
    let _closed = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a line over the last one of a terminal.
pub fn stderr_over(line: &str) {
    let mut stderr = io::stderr().lock();
    let _closed = write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush());
}

/// Writes a text to a terminal, wherever there is one: never to a file or a pipe that keeps a log.
///
/// # Errors
/// When there is none.
pub fn terminal(text: &str) -> io::Result<()> {
    use std::io::IsTerminal;
    if io::stderr().is_terminal() {
        return io::stderr().lock().write_all(text.as_bytes());
    }
    if io::stdout().is_terminal() {
        return stdout(text);
    }
    Err(io::Error::other("there is no terminal"))
}
