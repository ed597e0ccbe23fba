use std::fs;

use super::super::ledger::{Address, Error, Ledger, Sysctl};
use super::ledger;

fn address(text: &str) -> Address {
    Address { interface: "eth0".to_owned(), address: text.parse().unwrap() }
}

fn sysctl(previous: &str, set: &str) -> Sysctl {
    let path = "net/ipv4/conf/eth0.100/forwarding".to_owned();
    Sysctl { path, previous: previous.to_owned(), set: set.to_owned() }
}

#[test]
fn what_is_recorded_is_read_again() {
    let (directory, mut ledger) = ledger();
    ledger.record_addresses(&[address("203.0.113.10")]).unwrap();
    ledger.record_addresses(&[address("2001:db8::10")]).unwrap();
    ledger.record_addresses(&[address("2001:db8::10")]).unwrap();
    ledger.record_sysctl(sysctl("0", "1")).unwrap();
    let again = Ledger::open(directory.path().join("host.json")).unwrap();
    assert_eq!(again.addresses(), [address("203.0.113.10"), address("2001:db8::10")]);
    assert_eq!(again.sysctls(), [sysctl("0", "1")]);
    ledger.forget_addresses(&[address("203.0.113.10")]).unwrap();
    ledger.forget_sysctl("net/ipv4/conf/eth0.100/forwarding").unwrap();
    let again = Ledger::open(directory.path().join("host.json")).unwrap();
    assert_eq!((again.addresses(), again.sysctls()), (&[address("2001:db8::10")][..], &[][..]));
}

#[test]
fn a_ledger_truncated_anywhere_is_refused_by_name() {
    let (directory, mut ledger) = ledger();
    ledger.record_addresses(&[address("203.0.113.10")]).unwrap();
    ledger.record_sysctl(sysctl("0", "1")).unwrap();
    let path = directory.path().join("host.json");
    let whole = fs::read(&path).unwrap();
    let closing = whole.iter().rposition(|byte| *byte == b'}').unwrap();
    for length in 0..=closing {
        fs::write(&path, &whole[..length]).unwrap();
        let error = Ledger::open(&path).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "cut to {length} bytes: {error}");
        assert!(error.to_string().contains("host.json"), "{error}");
    }
}

#[test]
fn a_ledger_of_a_later_version_is_refused_whatever_its_shape() {
    let (directory, _) = ledger();
    let path = directory.path().join("host.json");
    fs::write(&path, r#"{"version": 2, "changes": {}}"#).unwrap();
    assert!(matches!(Ledger::open(&path), Err(Error::Version { version: 2, .. })));
}

#[test]
fn a_crash_while_writing_leaves_the_old_contents_and_the_next_change_works() {
    let (directory, mut ledger) = ledger();
    ledger.record_addresses(&[address("203.0.113.10")]).unwrap();
    let path = directory.path().join("host.json");
    fs::write(directory.path().join("host.json.new"), r#"{"version": 1, "addr"#).unwrap();
    let mut again = Ledger::open(&path).unwrap();
    assert_eq!(again.addresses(), [address("203.0.113.10")]);
    again.record_addresses(&[address("203.0.113.11")]).unwrap();
    let left: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["host.json"]);
    assert_eq!(Ledger::open(&path).unwrap().addresses().len(), 2);
}

#[test]
fn a_change_that_cannot_be_written_is_not_taken_for_recorded() {
    let (directory, mut ledger) = ledger();
    drop(directory);
    let error = ledger.record_addresses(&[address("203.0.113.10")]).unwrap_err();
    assert!(matches!(error, Error::Write { .. }), "{error}");
    assert!(ledger.addresses().is_empty());
}
