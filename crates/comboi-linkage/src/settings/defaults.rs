//! What a level's parameters are where nothing was learned: Splink's formula, not a small number.

use super::{Comparison, Settings};

const EXACT: f64 = 0.95;

/// The defaults of m and u of a comparison with so many counting levels, from the lowest level up.
fn of_levels(count: usize) -> Vec<(f64, f64)> {
    let steps = count.saturating_sub(1);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a comparison has a handful of levels"
    )]
    let weight = |i: usize| match steps {
        _ if i == steps => 10.0,
        1 => -5.0,
        _ => -5.0 + 8.0 * i as f64 / (steps - 1) as f64,
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "a comparison has a handful of levels"
    )]
    let m = |i: usize| {
        if i == steps {
            EXACT
        } else {
            (1.0 - EXACT) / steps as f64
        }
    };
    (0..count)
        .map(|i| (m(i), m(i) / weight(i).exp2()))
        .collect()
}

impl Comparison {
    /// m and u of each level by its number (gamma), as they count: what is missing has its default, and none is zero.
    pub fn parameters(&self) -> Vec<(f64, f64)> {
        let mut levels: Vec<_> = self.counting().collect();
        levels.reverse();
        let defaults = of_levels(levels.len());
        let pair = |(level, (m, u)): (&&super::Level, (f64, f64))| {
            let least = 1e-300;
            (
                level.m.unwrap_or(m).max(least),
                level.u.unwrap_or(u).max(least),
            )
        };
        levels.iter().zip(defaults).map(pair).collect()
    }
}

impl Settings {
    /// The share of matches, as it counts.
    pub fn lambda_or_default(&self) -> f64 {
        self.lambda.unwrap_or(super::DEFAULT_LAMBDA)
    }
}

#[cfg(test)]
mod tests {
    use super::of_levels;

    /// Splink 5.0.0's `_default_m_values` and `_default_u_values`.
    #[test]
    fn defaults_are_those_of_splink() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        let two = of_levels(2);
        assert!(near(two[0].0, 0.05) && near(two[0].1, 0.05 * 32.0));
        assert!(near(two[1].0, 0.95) && near(two[1].1, 0.95 / 1024.0));
        let four = of_levels(4);
        let weights: Vec<f64> = four.iter().map(|(m, u)| (m / u).log2()).collect();
        assert!(
            weights
                .iter()
                .zip([-5.0, -1.0, 3.0, 10.0])
                .all(|(a, b)| near(*a, b)),
            "{weights:?}"
        );
    }
}
