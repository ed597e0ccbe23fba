//! Claims to ports that collide.

/// A claim to the ports `first..=last` of whatever `of` says.
pub(super) struct Claim<K, W> {
    pub(super) of: K,
    pub(super) ports: (u16, u16),
    /// Who claims, in file order.
    pub(super) who: W,
}

/// Pairs of claimants, the earlier in file order first, whose claims to ports of the same thing overlap.
///
/// Each claim appears as often as needed to name it, not once for every other it overlaps: claims are sorted by first
/// port and compared with the one that reaches furthest, so that tens of thousands cost no more than the sorting.
pub(super) fn overlaps<K: Ord, W: Copy + Ord>(mut claims: Vec<Claim<K, W>>) -> Vec<(W, W)> {
    claims.sort_by(|a, b| (&a.of, a.ports, a.who).cmp(&(&b.of, b.ports, b.who)));
    let mut pairs = Vec::new();
    let mut furthest: Option<&Claim<K, W>> = None;
    for claim in &claims {
        match furthest {
            Some(other) if other.of == claim.of && claim.ports.0 <= other.ports.1 => {
                pairs.push((other.who.min(claim.who), other.who.max(claim.who)));
                if claim.ports.1 > other.ports.1 {
                    furthest = Some(claim);
                }
            }
            _ => furthest = Some(claim),
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(claims: &[(char, u16, u16)]) -> Vec<(usize, usize)> {
        let claims = claims.iter().enumerate();
        overlaps(claims.map(|(who, &(of, first, last))| Claim { of, ports: (first, last), who }).collect())
    }

    #[test]
    fn claims_overlap_only_within_the_same_thing_and_only_on_shared_ports() {
        assert_eq!(pairs(&[('a', 80, 80), ('b', 80, 80), ('a', 81, 90), ('a', 91, 91)]), []);
        assert_eq!(pairs(&[('a', 80, 90), ('a', 90, 99)]), [(0, 1)]);
    }

    #[test]
    fn the_earlier_claimant_comes_first_whatever_the_ports() {
        assert_eq!(pairs(&[('a', 50, 90), ('a', 10, 60)]), [(0, 1)]);
    }

    #[test]
    fn every_claim_inside_a_wide_one_is_found() {
        assert_eq!(pairs(&[('a', 1, 100), ('a', 10, 20), ('a', 30, 40), ('a', 101, 102)]), [(0, 1), (0, 2)]);
    }
}
