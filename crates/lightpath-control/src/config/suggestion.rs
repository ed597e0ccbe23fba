//! "Did you mean …?" for mistyped names.

/// The name of `known` that `written` was most likely meant to be, if one is close enough to be a typing mistake:
/// at most a third of its characters off.
pub(crate) fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (distance(&written.to_lowercase(), name), name))
        .filter(|(distance, name)| *distance <= name.chars().count().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    // rows[i][j] is the distance of the first i characters of `a` and the first j of `b`.
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_edits_and_swaps() {
        for (a, b, expected) in [
            ("port", "port", 0),
            ("prot", "port", 1),
            ("ports", "port", 1),
            ("", "vip", 3),
            ("wieght", "weight", 1),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn only_a_close_name_is_suggested() {
        let known = ["port", "protocol", "weight", "vip"];
        for (written, expected) in [
            ("prot", Some("port")),
            ("Weight", Some("weight")),
            ("protcol", Some("protocol")),
            ("ip", Some("vip")),
            ("timeout", None),
            ("x", None),
        ] {
            assert_eq!(closest(written, known), expected, "{written}");
        }
    }
}
