//! TEMP
pub struct Preset;
