//! Chance, the same on every machine: numbers from a seed, and the distributions that workloads and faults need.
//!
//! Logarithms and sines come from `libm`, since a platform's own differ in their last bits.
#![expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "distributions are over real numbers")]

use core::time::Duration;

/// `SplitMix64` (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// The sequence of a seed and of what it is used for: different uses do not disturb each other.
    pub(super) const fn new(seed: u64, purpose: u64) -> Self {
        let mut chance = Self(seed ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93));
        let _ = chance.draw();
        chance
    }

    /// The sequence of a seed for a use of that name (FNV-1a, so that no two uses need to know each other's numbers).
    pub(super) fn of(seed: u64, purpose: &str) -> Self {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self::new(seed, purpose.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
    }

    pub(super) const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform, above 0 and at most 1.
    pub(super) fn unit(&mut self) -> f64 {
        let upper = self.draw() >> 11;
        (upper as f64 + 1.0) / 9_007_199_254_740_992.0
    }

    /// Uniform below a number; zero of nothing.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        u64::try_from(u128::from(self.draw()).saturating_mul(end.into()) >> 64).unwrap_or(0)
    }

    /// Uniform below a million: less than a share's millionths as often as the share says.
    pub(super) fn millionths(&mut self) -> u32 {
        u32::try_from(self.below(1_000_000)).unwrap_or(0)
    }

    /// Whether something of this probability happens.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit() <= probability
    }

    /// Exponential, by inversion.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -libm::log(self.unit()) * mean
    }

    /// Standard normal (Box and Muller, 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(self.unit())).sqrt();
        radius * libm::cos(core::f64::consts::TAU * self.unit())
    }

    /// Lognormal of this mean and coefficient of variation: `exp(μ + σ·normal)` with `σ² = ln(1 + cv²)`,
    /// `μ = ln(mean) − σ²/2`.
    pub(super) fn lognormal(&mut self, mean: f64, cv: f64) -> f64 {
        let variance = libm::log(1.0 + cv * cv);
        mean * libm::exp(variance.sqrt() * self.normal() - variance / 2.0)
    }

    /// Gamma of this shape and of mean 1 (Marsaglia and Tsang, 2000); a shape below 1 counts as 1.
    pub(super) fn gamma(&mut self, shape: f64) -> f64 {
        let shape = shape.max(1.0);
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = 1.0 + c * x;
            if v <= 0.0 {
                continue;
            }
            let v = v * v * v;
            if libm::log(self.unit()) < x * x / 2.0 + d - d * v + d * libm::log(v) {
                return d * v / shape;
            }
        }
    }
}

/// Seconds as a duration: not less than a nanosecond, and not more than there is room for.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).max(Duration::from_nanos(1))
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    /// Mean and coefficient of variation of 200,000 draws.
    fn moments(mut draw: impl FnMut(&mut Chance) -> f64) -> (f64, f64) {
        let mut chance = Chance::new(8289, 1);
        let draws: [f64; 2] = (0..200_000).fold([0.0, 0.0], |[sum, squares], _| {
            let x = draw(&mut chance);
            [sum + x, squares + x * x]
        });
        let (mean, squares) = (draws[0] / 200_000.0, draws[1] / 200_000.0);
        (mean, (squares - mean * mean).sqrt() / mean)
    }

    #[test]
    fn distributions_have_the_moments_they_are_named_for() {
        let close = |(mean, cv): (f64, f64), want_mean: f64, want_cv: f64| {
            assert_relative_eq!(mean, want_mean, max_relative = 0.01);
            assert_relative_eq!(cv, want_cv, max_relative = 0.02);
        };
        close(moments(|chance| chance.exponential(3.0)), 3.0, 1.0);
        close(moments(|chance| chance.lognormal(2.0, 1.0)), 2.0, 1.0);
        close(moments(|chance| chance.lognormal(2.0, 0.5)), 2.0, 0.5);
        close(moments(|chance| chance.gamma(4.0)), 1.0, 0.5);
        close(moments(Chance::unit), 0.5, 1.0 / 3.0_f64.sqrt());
        close(moments(|chance| 5.0 + chance.normal()), 5.0, 0.2);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_on_every_machine() {
        let mut chance = Chance::new(1, 2);
        let bits = [chance.exponential(1.0), chance.normal(), chance.gamma(4.0)].map(f64::to_bits);
        assert_eq!(bits, [4_608_245_190_122_219_982, 4_604_006_616_169_647_846, 4_604_374_015_746_396_865]);
        assert_ne!(Chance::new(1, 2).draw(), Chance::new(1, 3).draw());
    }

    #[test]
    fn seconds_that_are_none_are_some() {
        assert_eq!([-1.0, 0.0, 1e-12].map(seconds), [Duration::MAX, Duration::from_nanos(1), Duration::from_nanos(1)]);
        assert_eq!([f64::NAN, f64::INFINITY, 1e300].map(seconds), [Duration::MAX; 3]);
    }
}
