use super::super::queues::{arrange, look, set_channels};
use super::super::undo;
use super::ledger;
use crate::model::Queues;
use crate::testnet::{NEAR, with_net};

/// Receive queues in use.
fn in_use() -> u32 {
    look(NEAR).unwrap().channels.unwrap().count
}

/// A virtual link has as many queues as there are CPUs, and uses one of each kind until it is told otherwise.
#[test]
fn queues_are_set_and_put_back() {
    with_net(async |_net| {
        let (_directory, mut ledger) = ledger();
        let most = look(NEAR).unwrap().channels.unwrap().most;
        assert!(
            most >= 2,
            "this needs a host of two CPUs, for whose virtual links there are two queues: {most}"
        );
        assert_eq!(in_use(), 1);

        let (done, failed) = arrange(NEAR, Queues::Count(2), &mut ledger);
        assert!(failed.is_empty(), "{failed:?}");
        assert_eq!((done.len(), in_use()), (1, 2), "{done:?}");
        // Once more changes nothing.
        let (done, failed) = arrange(NEAR, Queues::Count(2), &mut ledger);
        assert!(done.is_empty() && failed.is_empty(), "{done:?} {failed:?}");

        assert!(undo(&mut ledger).await.is_empty());
        assert_eq!(in_use(), 1);
        assert!(ledger.queues().is_empty());
    });
}

#[test]
fn what_others_have_set_since_is_left_as_it_is() {
    with_net(async |_net| {
        let (_directory, mut ledger) = ledger();
        let (_, failed) = arrange(NEAR, Queues::Auto, &mut ledger);
        assert!(failed.is_empty(), "{failed:?}");
        assert!(in_use() > 1);
        set_channels(NEAR, 1).unwrap();
        assert!(undo(&mut ledger).await.is_empty());
        assert_eq!(in_use(), 1);
    });
}

#[test]
fn an_interface_that_does_not_exist_is_named() {
    with_net(async |_net| {
        let refused = set_channels("nothere", 2).unwrap_err().to_string();
        assert!(refused.contains("nothere"), "{refused}");
    });
}
