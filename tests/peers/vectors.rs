//! The recorded vectors: the folder that `PLIMSOLL_CONFORMANCE` names holds them as JSON, the project's own copies are
//! compressed.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;

/// The file `NAME.json` of the vectors.
pub(crate) fn read<T: DeserializeOwned>(name: &str) -> T {
    if let Some(folder) = env::var_os("PLIMSOLL_CONFORMANCE") {
        let path = PathBuf::from(folder).join(format!("{name}.json"));
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/conformance/{name}.json.gz"));
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_reader(BufReader::new(GzDecoder::new(file)))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
