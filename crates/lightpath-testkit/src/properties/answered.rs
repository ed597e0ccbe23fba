//! What an answer has to be.

use lightpath_abi::Features;
use lightpath_core::{Frame, Part, ReplyKind, SlicePacket, parse_any};

use crate::{checksums_are_right, describe};

/// Fails unless `sent` goes back to who sent `received`, in the name of whom it was sent to, and can be believed.
#[track_caller]
pub(super) fn assert_answers(received: &[u8], asked: &Frame, kind: ReplyKind, sent: &[u8]) {
    let answer = parse_any(&SlicePacket(&mut sent.to_vec()), Features::ALL).expect("a packet of IP");
    assert_eq!((answer.source, answer.destination), (asked.destination, asked.source));
    assert_eq!([&sent[..6], &sent[6..12]], [&received[6..12], &received[..6]]);
    assert_eq!(sent[12..asked.network], received[12..asked.network], "tags");
    assert_eq!((answer.network, answer.ttl, answer.part), (asked.network, 64, Part::Whole));
    // An echo carries what it carried, wrong or right.
    if kind != ReplyKind::Echo || checksums_are_right(received).is_ok() {
        assert_eq!(checksums_are_right(sent), Ok(()), "{}\n{}", describe(received), describe(sent));
    }
    let longest = if asked.v4 { 576 } else { 1280 };
    assert!(kind == ReplyKind::Echo || answer.length <= longest, "{}", answer.length);
}
