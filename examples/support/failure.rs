//! Why an example ends without the result that was asked for, and the exit code that says so.

use std::io::{self, Write};
use std::process::ExitCode;

/// Why there is no result, and whose turn it is to do something about it.
#[allow(dead_code, reason = "not every example that includes this has findings")]
pub(crate) enum Failure {
    /// Something that was given cannot be used.
    Input(String),
    /// The result cannot be written.
    Output(String),
    /// There is a result, and it is not as it should be: a log is not reproduced, a limit is broken.
    Finding(String),
    /// Whoever read the output has read enough.
    Closed,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Output(format!("standard output: {error}")),
        }
    }
}

/// Says what is wrong, if anything is, and ends the program accordingly.
pub(crate) fn exit(outcome: Result<(), Failure>) -> ExitCode {
    let (code, message) = match outcome {
        Ok(()) | Err(Failure::Closed) => return ExitCode::SUCCESS,
        Err(Failure::Output(message)) => (1, message),
        Err(Failure::Input(message)) => (2, message),
        Err(Failure::Finding(message)) => (3, message),
    };
    let _ = writeln!(io::stderr(), "error: {message}");
    ExitCode::from(code)
}
