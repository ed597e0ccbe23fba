//! Primes of table size: small enough for trial division.

/// Whether `n` is a prime.
#[must_use]
pub fn is_prime(n: u32) -> bool {
    n >= 2 && (2..=n.isqrt()).all(|divisor| !n.is_multiple_of(divisor))
}

/// The smallest prime of at least `n`, if a `u32` holds it.
#[must_use]
pub fn next_prime(n: u32) -> Option<u32> {
    (n..=u32::MAX).find(|candidate| is_prime(*candidate))
}

/// The largest prime of at most `n`, if there is one.
#[must_use]
pub fn previous_prime(n: u32) -> Option<u32> {
    (2..=n).rev().find(|candidate| is_prime(*candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_primes_are_told_from_composites() {
        let primes: Vec<u32> = (0..40).filter(|n| is_prime(*n)).collect();
        assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37]);
    }

    #[test]
    fn table_sizes_in_use_are_prime() {
        for n in [251, 65_537, 131_071, 524_287, 1_048_573, 4_294_967_291] {
            assert!(is_prime(n), "{n}");
        }
        for n in [65_536, 1_048_575, 1_022_117 /* 1009 × 1013 */, u32::MAX] {
            assert!(!is_prime(n), "{n}");
        }
    }

    #[test]
    fn neighbouring_primes_include_the_number_itself() {
        assert_eq!((previous_prime(65_536), next_prime(65_536)), (Some(65_521), Some(65_537)));
        assert_eq!((previous_prime(97), next_prime(97)), (Some(97), Some(97)));
        assert_eq!((previous_prime(1), next_prime(u32::MAX)), (None, None));
    }
}
