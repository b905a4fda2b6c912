//! Arithmetic with binary fractions, the same to the bit everywhere: shares and factors are counted in 2⁻³² ths.

/// One.
pub(crate) const ONE: u64 = 1 << 32;
/// log₂ e.
const LOG2_E: u128 = 6_196_328_019;
/// The Taylor series of 2⁻ᶠ: (ln 2)ᵏ / k!, for k from 6 down to 0.
const SERIES: [u64; 7] = [661_567, 5_726_720, 41_309_548, 238_388_332, 1_031_764_991, 2_977_044_472, ONE];

/// `e^(−elapsed / constant)`: what is left after `elapsed` of something that decays with this time constant. Exact to
/// 2·10⁻⁵.
pub(crate) fn decay(elapsed: u64, constant: u64) -> u64 {
    let exponent = u128::from(elapsed).saturating_mul(LOG2_E).checked_div(u128::from(constant)).unwrap_or(u128::MAX);
    let (whole, fraction) = (exponent >> 32, u64::try_from(exponent & 0xffff_ffff).unwrap_or(0));
    // Horner's rule, with alternating signs.
    let power = SERIES.into_iter().reduce(|sum, next| next.saturating_sub(times(sum, fraction))).unwrap_or(ONE);
    u32::try_from(whole).ok().and_then(|whole| power.checked_shr(whole)).unwrap_or(0)
}

/// `(1 − e^(−y)) / y` with `y = elapsed / constant`: what is left on average of what came evenly throughout `elapsed`.
pub(crate) fn mean_decay(elapsed: u64, constant: u64) -> u64 {
    let gone = u128::from(ONE.saturating_sub(decay(elapsed, constant))).saturating_mul(u128::from(constant));
    gone.checked_div(u128::from(elapsed)).map_or(ONE, |mean| u64::try_from(mean).unwrap_or(ONE).min(ONE))
}

/// `value` times a fraction.
pub(crate) fn times(value: u64, fraction: u64) -> u64 {
    u64::try_from(u128::from(value).saturating_mul(u128::from(fraction)) >> 32).unwrap_or(u64::MAX)
}

/// `value × numerator / denominator`; what is divided by zero is without bound.
pub(crate) fn ratio(value: u64, numerator: u64, denominator: u64) -> u64 {
    let product = u128::from(value).saturating_mul(u128::from(numerator));
    product.checked_div(u128::from(denominator)).map_or(u64::MAX, |ratio| u64::try_from(ratio).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::disallowed_methods, reason = "compared with the platform's own")]
mod tests {
    use super::*;

    #[test]
    fn decays_as_the_exponential_does() {
        for (elapsed, constant) in [(0, 5), (1, 1_000), (1, 3), (7, 7), (30, 7), (200, 9), (1, 0), (u64::MAX, 1)] {
            let exact = if constant == 0 { 0.0 } else { (-(elapsed as f64) / constant as f64).exp() };
            let close = |got: u64, wanted: f64| (got as f64 / ONE as f64 - wanted).abs() < 4e-5;
            assert!(close(decay(elapsed, constant), exact), "{elapsed} {constant}");
            if elapsed > 0 && constant > 0 && elapsed < 1_000 {
                let y = elapsed as f64 / constant as f64;
                assert!(close(mean_decay(elapsed, constant), (1.0 - exact) / y), "{elapsed} {constant}");
            }
        }
        assert_eq!(mean_decay(0, 5), ONE);
    }

    #[test]
    fn more_time_never_leaves_more() {
        let left: Vec<u64> = (0..20_000).map(|elapsed| decay(elapsed, 1_000)).collect();
        assert!(left.windows(2).all(|pair| pair[0] + 100_000 >= pair[1]), "but for the seam of two octaves");
    }
}
