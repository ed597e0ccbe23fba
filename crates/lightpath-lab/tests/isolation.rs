//! What is done after `isolate` is seen by that thread and its children only.

use std::path::Path;
use std::{fs, thread};

use lightpath_lab::{Namespace, isolate};

const PIN: &str = "/sys/fs/bpf/isolation-test";

#[test]
fn what_is_made_in_isolation_is_invisible_outside() {
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    thread::spawn(|| {
        let scratch = isolate().unwrap();
        fs::write(scratch.join("lightpath.toml"), "").unwrap();
        fs::create_dir(PIN).unwrap();

        let outside = thread::Builder::new().name("child".into());
        let seen_by_child_thread = outside.spawn(|| fs::exists(PIN).unwrap()).unwrap().join().unwrap();
        assert!(seen_by_child_thread);
        // The leader of this process has the host's view still.
        assert!(!fs::exists(Path::new("/proc/self/root").join(&PIN[1..])).unwrap());
    })
    .join()
    .unwrap();
    assert!(!fs::exists(PIN).unwrap());
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
}

#[test]
fn a_namespaced_command_shares_the_isolated_mounts() {
    let (pinned, scratch_file) = thread::spawn(|| {
        let scratch = isolate().unwrap();
        fs::create_dir(PIN).unwrap();
        fs::write(scratch.join("file"), "content").unwrap();
        let namespace = Namespace::new("inside").unwrap();
        // The child writes, the parent reads: it is the same file system, under a /sys of the child's own.
        let made = namespace.command("mkdir").arg(format!("{PIN}/by-child")).status().unwrap();
        assert!(made.success());
        assert!(fs::exists(format!("{PIN}/by-child")).unwrap());
        let pinned = namespace.command("ls").arg(PIN).output().unwrap();
        (pinned, namespace.command("cat").arg(scratch.join("file")).output().unwrap())
    })
    .join()
    .unwrap();
    assert_eq!(pinned.stdout, b"by-child\n");
    assert_eq!(scratch_file.stdout, b"content");
}
