//! TEMP
pub struct Expectations;
pub struct Lint;
pub struct LintCode;
