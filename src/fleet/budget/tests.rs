use alloc::collections::BTreeSet;
use alloc::vec;

use proptest::prelude::*;

use super::*;

fn claims() -> impl Strategy<Value = Vec<Claim>> {
    let count = prop_oneof![4 => 0..20_u32, 1 => 0..2_000_000_u32, 1 => Just(u32::MAX)];
    let positive = || prop_oneof![3 => Just(1_u32), 3 => 1..9_u32, 1 => 1..=u32::MAX];
    let cap = prop_oneof![3 => Just(u32::MAX), 1 => 0..12_u32];
    let floor = prop_oneof![3 => Just(0_u32), 2 => 0..6_u32, 1 => any::<u32>()];
    let claim = (count, floor, cap, positive(), 0..3_u8, positive(), 0..3_u16).prop_map(
        |(wanted, floor, cap, weight, priority, units, kind)| Claim {
            wanted,
            floor,
            cap,
            weight: NonZeroU32::new(weight).unwrap(),
            priority,
            units: NonZeroU32::new(units).unwrap(),
            kind: Kind(kind),
        },
    );
    prop::collection::vec(claim, 0..24)
}

/// Two kinds are limited, the third is not.
fn budget() -> impl Strategy<Value = Budget> {
    let units = || prop_oneof![Just(0_u64), 0..200_u64, 0..10_000_000_u64, any::<u64>()];
    (units(), units()).prop_map(|(first, second)| Budget::of(Kind(0), first).with(Kind(1), second))
}

fn taken(claims: &[Claim], grants: &[u32], of: impl Fn(&Claim) -> bool) -> u128 {
    let granted = claims.iter().zip(grants).filter(|(claim, _)| of(claim));
    granted.map(|(claim, grant)| u128::from(*grant) * u128::from(claim.units.get())).sum()
}

/// The same by the definition: every level at which anything begins or ends is tried, in order.
fn slow(claims: &[Claim], budget: &Budget) -> Vec<u32> {
    let mut grants: Vec<u32> = claims.iter().map(Claim::most).collect();
    for (kind, units) in budget.kinds() {
        let classes: BTreeSet<u8> = claims.iter().filter(|c| c.kind == kind).map(|c| c.priority).collect();
        let members = |class: u8| -> Vec<usize> {
            (0..claims.len()).filter(|at| claims[*at].kind == kind && claims[*at].priority == class).collect()
        };
        let mut left = u128::from(units);
        let mut floors = vec![0; claims.len()];
        for class in classes.iter().rev() {
            let parts = members(*class);
            let limits: Vec<_> = parts.iter().map(|at| (0, claims[*at].least())).collect();
            for (at, granted) in parts.iter().zip(slow_class(claims, &parts, &limits, &mut left)) {
                floors[*at] = granted;
            }
        }
        for class in classes.iter().rev() {
            let parts = members(*class);
            let limits: Vec<_> = parts.iter().map(|at| (floors[*at], claims[*at].most())).collect();
            left += parts.iter().map(|at| u128::from(floors[*at]) * u128::from(claims[*at].units.get())).sum::<u128>();
            for (at, granted) in parts.iter().zip(slow_class(claims, &parts, &limits, &mut left)) {
                grants[*at] = granted;
            }
        }
    }
    grants
}

fn slow_class(claims: &[Claim], parts: &[usize], limits: &[(u32, u32)], left: &mut u128) -> Vec<u32> {
    let units = |n: usize| u128::from(claims[parts[n]].units.get());
    let weight = |n: usize| u128::from(claims[parts[n]].weight.get());
    let (low, high) = (|n: usize| u128::from(limits[n].0) * units(n), |n: usize| u128::from(limits[n].1) * units(n));
    let all = 0..parts.len();
    if all.clone().map(high).sum::<u128>() <= *left {
        *left -= all.map(high).sum::<u128>();
        return limits.iter().map(|(_, high)| *high).collect();
    }
    let mut levels: Vec<(u128, u128)> =
        all.clone().flat_map(|n| [(low(n), weight(n)), (high(n), weight(n))]).chain([(0, 1)]).collect();
    levels.sort_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)));
    // Units at a level, scaled by its weight.
    let at_level = |(num, den): (u128, u128)| {
        all.clone().map(|n| (num * weight(n)).clamp(low(n) * den, high(n) * den)).sum::<u128>()
    };
    let lower = *levels.iter().rev().find(|level| at_level(**level) <= *left * level.1).unwrap();
    // Just above it these are being filled.
    let filling: Vec<usize> = all
        .clone()
        .filter(|n| low(*n) * lower.1 <= lower.0 * weight(*n) && lower.0 * weight(*n) < high(*n) * lower.1)
        .collect();
    let mut granted: Vec<u32> =
        all.clone().map(|n| if lower.0 * weight(n) >= high(n) * lower.1 { limits[n].1 } else { limits[n].0 }).collect();
    let others: u128 = all.clone().filter(|n| !filling.contains(n)).map(|n| u128::from(granted[n]) * units(n)).sum();
    let (spare, weights) = (*left - others, filling.iter().map(|n| weight(*n)).sum::<u128>());
    let mut remainders = Vec::new();
    for n in &filling {
        let (part, worker) = (spare * weight(*n), weights * units(*n));
        granted[*n] = u32::try_from(part / worker).unwrap();
        remainders.push((Reverse(((part % worker) << 32) / worker), *n));
    }
    remainders.sort_unstable();
    let used = |granted: &[u32]| all.clone().map(|n| u128::from(granted[n]) * units(n)).sum::<u128>();
    for (_, n) in remainders {
        if granted[n] < limits[n].1 && used(&granted) + units(n) <= *left {
            granted[n] += 1;
        }
    }
    for n in all.clone() {
        let fit = (*left - used(&granted)) / units(n);
        granted[n] += u32::try_from(fit.min(u128::from(limits[n].1 - granted[n]))).unwrap();
    }
    *left -= used(&granted);
    granted
}

proptest! {
    #[test]
    fn never_above_the_budget(claims in claims(), budget in budget()) {
        let grants = budget.allocate(&claims);
        for (kind, units) in budget.kinds() {
            prop_assert!(taken(&claims, &grants, |claim| claim.kind == kind) <= u128::from(units));
        }
        for (claim, grant) in claims.iter().zip(&grants) {
            prop_assert!(*grant <= claim.most(), "{claim:?} was granted {grant}");
        }
    }

    #[test]
    fn floors_come_first(claims in claims(), budget in budget()) {
        let grants = budget.allocate(&claims);
        for (kind, units) in budget.kinds() {
            let all: Vec<u32> = claims.iter().map(Claim::least).collect();
            // Where the floors of a class and of those above it fit, each of them is granted.
            for (claim, grant) in claims.iter().zip(&grants).filter(|(claim, _)| claim.kind == kind) {
                let before = taken(&claims, &all, |other| other.kind == kind && other.priority >= claim.priority);
                prop_assert!(before > u128::from(units) || *grant >= claim.least(), "{claim:?} was granted {grant}");
            }
        }
    }

    #[test]
    fn higher_classes_go_before_lower(claims in claims(), budget in budget()) {
        let grants = budget.allocate(&claims);
        for (high, short) in claims.iter().zip(&grants).filter(|(claim, grant)| **grant < claim.most()) {
            if budget.units(high.kind).is_none() {
                continue;
            }
            // What is above the floor of a lower class, together with what is left, buys no worker for a higher one.
            let of_kind = |claim: &Claim| claim.kind == high.kind;
            let lower: u128 = claims
                .iter()
                .zip(&grants)
                .filter(|(claim, _)| of_kind(claim) && claim.priority < high.priority)
                .map(|(claim, grant)| u128::from(grant.saturating_sub(claim.least())) * u128::from(claim.units.get()))
                .sum();
            prop_assert!(lower < u128::from(high.units.get()), "{high:?} was granted {short}, lower ones have {lower}");
        }
    }

    #[test]
    fn shares_are_weighted_max_min_fair(claims in claims(), budget in budget()) {
        let grants = budget.allocate(&claims);
        let both = || claims.iter().zip(&grants).filter(|(claim, _)| budget.units(claim.kind).is_some());
        let units = |claim: &Claim, workers: u32| u128::from(workers) * u128::from(claim.units.get());
        for (short, less) in both().filter(|(claim, grant)| **grant < claim.most()) {
            for (other, more) in both().filter(|(claim, grant)| **grant > claim.least()) {
                if (other.kind, other.priority) != (short.kind, short.priority) {
                    continue;
                }
                // Whoever has more than its floor has no higher level than one that lacks workers, but for what is left
                // when it buys no worker for those that wait.
                let waiting = both().filter(|(c, g)| **g < c.most() && c.kind == short.kind);
                let one = waiting.map(|(claim, _)| units(claim, 1)).max().unwrap_or(0).max(units(other, 1));
                let (theirs, ours) = (units(other, *more).saturating_sub(one), units(short, less.saturating_add(1)));
                let level = |units: u128, other: &Claim| units * u128::from(other.weight.get());
                prop_assert!(
                    theirs <= units(other, other.least()) || level(theirs, short) <= level(ours, other),
                    "{other:?} was granted {more}, {short:?} {less}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_left_that_would_buy_a_worker(claims in claims(), budget in budget()) {
        let grants = budget.allocate(&claims);
        for (kind, units) in budget.kinds() {
            let left = u128::from(units) - taken(&claims, &grants, |claim| claim.kind == kind);
            for (claim, grant) in claims.iter().zip(&grants).filter(|(claim, _)| claim.kind == kind) {
                let satisfied = *grant == claim.most();
                prop_assert!(satisfied || u128::from(claim.units.get()) > left, "{left} left, {claim:?} has {grant}");
            }
        }
    }

    #[test]
    fn whole_workers_go_to_the_largest_remainders(claims in claims(), budget in budget()) {
        prop_assert_eq!(budget.allocate(&claims), slow(&claims, &budget));
    }

    #[test]
    fn ties_go_to_the_earlier(workers in 0..50_u32, claims in 1..20_usize, units in 0..400_u64, cost in 1..4_u32) {
        let one = Claim { units: NonZeroU32::new(cost).unwrap(), ..Claim::new(workers) };
        let grants = Budget::of(Kind(0), units).allocate(&vec![one; claims]);
        prop_assert!(grants.is_sorted_by(|a, b| a >= b) && grants[0] - grants[claims - 1] <= 1, "{:?}", grants);
    }

    #[test]
    fn what_nobody_limits_is_granted(claims in claims()) {
        let wanted: Vec<u32> = claims.iter().map(Claim::most).collect();
        prop_assert_eq!(Budget::default().allocate(&claims), wanted);
    }

    #[test]
    fn kinds_do_not_touch_each_other(claims in claims(), budget in budget(), units in any::<u64>()) {
        let grants = budget.allocate(&claims);
        let other = budget.with(Kind(1), units).allocate(&claims);
        for ((claim, before), after) in claims.iter().zip(&grants).zip(&other).filter(|((c, _), _)| c.kind != Kind(1)) {
            prop_assert_eq!(before, after, "{:?}", claim);
        }
    }
}
