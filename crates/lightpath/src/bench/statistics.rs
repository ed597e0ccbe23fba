//! What is said of many measurements of one thing on a machine whose speed swings.

use std::time::Duration;

/// The value that `percent` of all are not above, by the nearest rank; not a number if there are none.
pub(super) fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    at(&sorted, percent)
}

/// The same of values in ascending order.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank lies between 0 and how many values there are, which is far below 2^52"
)]
pub(super) fn at(sorted: &[f64], percent: f64) -> f64 {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1).min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// What the machine does when little disturbs it.
pub(super) fn low(values: &[f64]) -> f64 {
    percentile(values, 10.0)
}

/// The middle one.
pub(super) fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

/// The median of what each value is of the one that was measured next to it.
pub(super) fn paired_ratio(values: &[f64], beside: &[f64]) -> f64 {
    let ratios: Vec<f64> = values.iter().zip(beside).map(|(value, other)| value / other).collect();
    median(&ratios)
}

/// The median of what each value is more than the one that was measured next to it.
pub(super) fn paired_difference(values: &[f64], beside: &[f64]) -> f64 {
    let differences: Vec<f64> = values.iter().zip(beside).map(|(value, other)| value - other).collect();
    median(&differences)
}

/// In nanoseconds.
pub(super) fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values_by_the_nearest_rank() {
        let values = [40.0, 15.0, 50.0, 20.0, 35.0];
        for (percent, expected) in
            [(0.0, 15.0), (10.0, 15.0), (30.0, 20.0), (40.0, 20.0), (50.0, 35.0), (99.0, 50.0), (100.0, 50.0)]
        {
            assert_eq!(percentile(&values, percent).to_bits(), f64::to_bits(expected), "{percent} %");
        }
        assert_eq!(percentile(&[7.0], 50.0).to_bits(), 7.0_f64.to_bits());
    }

    #[test]
    fn of_nothing_there_is_no_percentile() {
        assert!(percentile(&[], 50.0).is_nan());
    }

    #[test]
    fn pairs_are_compared_with_each_other_and_not_with_the_average() {
        // The machine is half as fast in the second round: the ratio does not notice.
        let floor = [10.0, 20.0, 10.0];
        let row = [15.0, 30.0, 15.0];
        assert_eq!(paired_ratio(&row, &floor).to_bits(), 1.5_f64.to_bits());
        assert_eq!(paired_difference(&row, &floor).to_bits(), 5.0_f64.to_bits());
    }
}
