//! What the pages of several examples share: colours and style. Who has a number has its colour throughout.

use std::ops::Range;

use plotters::style::RGBColor;

pub(crate) const INK: RGBColor = RGBColor(0x1a, 0x1a, 0x1a);
pub(crate) const FAINT: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
#[allow(dead_code, reason = "not every example that includes this needs it")]
pub(crate) const LOAD: RGBColor = RGBColor(0xb9, 0xb9, 0xb9);
pub(crate) const BOUND: RGBColor = RGBColor(0x77, 0x77, 0x77);
/// Told apart by people who do not see all colours, and by their lightness in print (after Okabe and Ito, and Tol).
const COLOURS: [RGBColor; 12] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x33, 0x22, 0x88),
    RGBColor(0x88, 0x22, 0x55),
    RGBColor(0x99, 0x99, 0x33),
    RGBColor(0x44, 0xaa, 0x99),
    RGBColor(0x66, 0x11, 0x00),
    RGBColor(0x44, 0x44, 0x44),
];

pub(crate) fn colour(number: usize) -> RGBColor {
    COLOURS.get(number % COLOURS.len()).copied().unwrap_or(INK)
}

pub(crate) const STYLE: &str = "\
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #1a1a1a;
  font: 15px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 24px 48px; }
h1 { font-size: 24px; margin: 24px 0 0; border-top: 2px solid #1a1a1a; padding-top: 16px; overflow-wrap: anywhere; }
p { margin: 4px 0 12px; color: #555; }
figure { margin: 0 0 20px; }
figure svg { display: block; width: 100%; height: auto; }
figcaption, footer { color: #555; font-size: 13px; }
table { border-collapse: collapse; width: 100%; margin: 0 0 20px; font-size: 13px; font-variant-numeric: tabular-nums; }
th { border-bottom: 1px solid #1a1a1a; }
th, td { text-align: right; padding: 3px 0 3px 12px; white-space: nowrap; }
th:nth-child(2), td:nth-child(2) { text-align: left; }
td { border-bottom: 1px solid #ececec; }
td b { display: inline-block; min-width: 18px; text-align: center; color: #fff; border-radius: 9px; padding: 0 2px; }
.possible td { color: #555; }
@media print { figure, table { break-inside: avoid; } main { max-width: none; padding: 0; } }
";

/// Round numbers within a range, three to a decade, or more where it is short.
#[allow(dead_code, reason = "not every example that includes this needs it")]
pub(crate) fn round_ticks(range: &Range<f64>) -> Vec<f64> {
    let decades = |digits: &[f64]| {
        let (mut power, mut ticks) = (1e-6, Vec::new());
        while power <= range.end {
            ticks.extend(digits.iter().map(|digit| digit * power).filter(|tick| range.contains(tick)));
            power *= 10.0;
        }
        ticks
    };
    let few = decades(&[1.0, 2.0, 5.0]);
    if few.len() >= 4 { few } else { decades(&[1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]) }
}
