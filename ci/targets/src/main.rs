//! Prints what must be the same on every target: `streams` (the default), `replays`, or one stream in full by number.

use std::env;
use std::io::{self, Write};

use plimsoll_targets::text;

fn main() -> io::Result<()> {
    let what = env::args().nth(1);
    io::stdout().write_all(text(what.as_deref().unwrap_or("streams")).as_bytes())
}
