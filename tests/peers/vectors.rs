//! The recorded vectors: the folder that `PLIMSOLL_CONFORMANCE` names holds them as JSON, the project's own copies are
//! compressed.

use std::fs::File;
use std::io::{BufReader, Read};
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

/// As [`read`], with every number that a reader may round in quotes: what takes such a number must accept a text.
pub(crate) fn read_exact<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&in_quotes(&text(name))).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn text(name: &str) -> String {
    let mut text = String::new();
    if let Some(folder) = env::var_os("PLIMSOLL_CONFORMANCE") {
        return fs::read_to_string(PathBuf::from(folder).join(format!("{name}.json"))).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/conformance/{name}.json.gz"));
    GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// A double that may stand in quotes.
#[derive(Clone, Copy, PartialEq, Debug, serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum Exact {
    Number(f64),
    Text(#[serde(deserialize_with = "from_text")] f64),
}

impl Exact {
    pub(crate) const fn get(self) -> f64 {
        match self {
            Self::Number(number) | Self::Text(number) => number,
        }
    }
}

fn from_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let text = <String as serde::Deserialize>::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

/// Numbers of more than 15 characters in quotes.
fn in_quotes(json: &str) -> String {
    let (mut quoted, mut rest) = (String::with_capacity(json.len()), json);
    while let Some(place) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (before, found) = rest.split_at(place);
        quoted.push_str(before);
        let text = found.starts_with('"');
        let end = if text {
            found[1..].find('"').map_or(found.len(), |end| end.saturating_add(2))
        } else {
            found.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(found.len())
        };
        let (token, after) = found.split_at(end);
        let long = !text && token.len() > 15;
        quoted.extend([if long { "\"" } else { "" }, token, if long { "\"" } else { "" }]);
        rest = after;
    }
    quoted.push_str(rest);
    quoted
}
