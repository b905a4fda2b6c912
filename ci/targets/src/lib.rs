//! What must be the same on every target, as text. `run.sh` says which targets that are.

pub mod replays;
pub mod streams;

/// The text named `streams` or `replays`, or the stream of that number in full.
#[must_use]
pub fn text(what: &str) -> String {
    match (what, what.parse()) {
        ("streams", _) => streams::golden(),
        ("replays", _) => replays(),
        (_, Ok(number)) => streams::in_full(number),
        _ => format!("give streams, replays or the number of a stream instead of {what}\n"),
    }
}

/// What each preset decided on the committed workloads, one golden log after the other.
fn replays() -> String {
    let log = |&(preset, file, minutes): &replays::Replay| replays::log(preset, file, workload(file), minutes);
    replays::REPLAYS.iter().map(log).collect()
}

/// The files, in the program: a WebAssembly module has no others.
fn workload(file: &str) -> &'static [u8] {
    match file {
        "llm_code_azure2023.csv" => include_bytes!("../../../data/llm_code_azure2023.csv"),
        "llm_chat_azure2023.csv" => include_bytes!("../../../data/llm_chat_azure2023.csv"),
        "serverless_apps_azure2021.csv" => include_bytes!("../../../data/serverless_apps_azure2021.csv"),
        _ => panic!("{file} is replayed but not in the program: add it here"),
    }
}

/// For a module without arguments or output: the text of stream `number`, of `streams` for -1, of `replays` for -2.
/// Its address is in the upper half of the result, its length in the lower.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
pub extern "C" fn plimsoll_text(number: i32) -> u64 {
    let text = match number {
        -1 => text("streams"),
        -2 => text("replays"),
        _ => text(&number.to_string()),
    };
    let bytes: &'static [u8] = text.leak().as_bytes();
    (bytes.as_ptr() as u64) << 32 | bytes.len() as u64
}
