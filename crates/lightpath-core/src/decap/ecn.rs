//! Congestion notification at the end of a tunnel (RFC 6040, 4.2).

/// Not ECN-capable.
const NOT_ECT: u8 = 0b00;
/// ECN-capable, the second of two codepoints; some networks use it for a lesser degree of congestion.
const ECT1: u8 = 0b01;
/// ECN-capable, the first.
const ECT0: u8 = 0b10;
/// Congestion experienced.
const CE: u8 = 0b11;

/// The ECN field that a packet leaves its tunnel with, or none for a packet to be dropped: one whose sender does not understand
/// that congestion was marked has to notice by its loss.
#[inline(always)]
pub(super) const fn combined(inner: u8, outer: u8) -> Option<u8> {
    match (inner, outer) {
        (NOT_ECT, CE) => None,
        (NOT_ECT, _) => Some(NOT_ECT),
        (_, CE) => Some(CE),
        (ECT0, ECT1) => Some(ECT1),
        _ => Some(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figure 4 of RFC 6040: a row for each inner field, a column for each outer one.
    #[test]
    fn fields_combine_as_in_the_rfc() {
        let columns = [NOT_ECT, ECT0, ECT1, CE];
        let rows = [
            (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
            (ECT0, [Some(ECT0), Some(ECT0), Some(ECT1), Some(CE)]),
            (ECT1, [Some(ECT1), Some(ECT1), Some(ECT1), Some(CE)]),
            (CE, [Some(CE); 4]),
        ];
        for (inner, expected) in rows {
            assert_eq!(columns.map(|outer| combined(inner, outer)), expected, "inner {inner:#b}");
        }
    }
}
