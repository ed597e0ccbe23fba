//! What a namespace promises: its own links, threads and programs inside it, and nothing left when it is gone.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use lightpath_lab::{KillOnDrop, Namespace, Offload, Route, veth};

/// Waits until `condition` holds; the kernel takes namespaces down in the background.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn links(namespace: &Namespace) -> Vec<String> {
    let table = namespace.run(|| fs::read_to_string("/proc/thread-self/net/dev").unwrap()).unwrap();
    let mut links: Vec<_> = table
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim().to_owned())
        .collect();
    links.sort();
    links
}

#[test]
fn a_new_namespace_has_only_a_loopback() {
    let namespace = Namespace::new("fresh").unwrap();
    assert_eq!(links(&namespace), ["lo"]);
    assert_eq!(namespace.ifindex("lo").unwrap(), 1);
    let error = namespace.ifindex("eth0").unwrap_err().to_string();
    assert_eq!(error, "fresh: cannot find the link eth0: No such device (os error 19)");
}

#[test]
fn a_dropped_namespace_takes_its_links_along() {
    let (here, there) = (Namespace::new("here").unwrap(), Namespace::new("there").unwrap());
    veth((&here, "eth0"), (&there, "eth0")).unwrap();
    assert_eq!(links(&here), ["eth0", "lo"]);
    drop(there);
    eventually("the pair is gone with its other end", || links(&here) == ["lo"]);
}

#[test]
fn a_thread_keeps_its_namespace() {
    let (here, there) = (Namespace::new("here").unwrap(), Namespace::new("there").unwrap());
    veth((&here, "eth0"), (&there, "eth0")).unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = there.spawn("keeper", move || stopped.recv().is_err()).unwrap();
    drop(there);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(links(&here), ["eth0", "lo"]);
    drop(stop);
    assert!(thread.join().unwrap().unwrap());
    eventually("the pair is gone with the thread", || links(&here) == ["lo"]);
}

#[test]
fn links_take_what_is_set() {
    let (a, b) = (Namespace::new("a").unwrap(), Namespace::new("b").unwrap());
    veth((&a, "eth0"), (&b, "eth1")).unwrap();
    let mac = [0x02, 0, 0, 0, 0, 0x0a];
    a.set_mac("eth0", mac).unwrap();
    assert_eq!(a.mac("eth0").unwrap(), mac);
    assert_ne!(b.mac("eth1").unwrap(), mac);

    a.set_mtu("eth0", 1400).unwrap();
    let mtu = a.command("cat").arg("/sys/class/net/eth0/mtu").output().unwrap().stdout;
    assert_eq!(mtu, b"1400\n");
}

#[test]
fn offloads_are_switched_one_by_one() {
    let (a, b) = (Namespace::new("a").unwrap(), Namespace::new("b").unwrap());
    veth((&a, "eth0"), (&b, "eth0")).unwrap();
    let sending = [Offload::TxChecksum, Offload::TcpSegmentation, Offload::GenericSegmentation];
    for offload in sending {
        assert!(a.offload("eth0", offload).unwrap(), "{offload:?} is on by default");
    }
    assert!(!a.offload("eth0", Offload::GenericReceive).unwrap());

    a.set_offload("eth0", Offload::GenericReceive, true).unwrap();
    assert!(a.offload("eth0", Offload::GenericReceive).unwrap());
    a.send_finished_packets("eth0").unwrap();
    for offload in sending {
        assert!(!a.offload("eth0", offload).unwrap(), "{offload:?}");
        assert!(b.offload("eth0", offload).unwrap(), "{offload:?} of the other end stays");
    }

    let error = a.set_offload("eth9", Offload::TxChecksum, false).unwrap_err().to_string();
    assert_eq!(error, "a: cannot turn TxChecksum of eth9 off: No such device (os error 19)");
}

#[test]
fn an_error_names_place_action_and_cause() {
    let namespace = Namespace::new("edge").unwrap();
    namespace.add_address("lo", "192.0.2.1/32".parse().unwrap()).unwrap();
    let again = namespace.add_address("lo", "192.0.2.1/32".parse().unwrap()).unwrap_err();
    assert_eq!(again.to_string(), "edge: cannot add 192.0.2.1/32 to lo: File exists (os error 17)");

    let route = Route::to("198.51.100.0/24".parse().unwrap()).via("10.9.9.9".parse().unwrap());
    let unreachable = namespace.add_route(&route).unwrap_err();
    let expected =
        "edge: cannot add the route 198.51.100.0/24 via 10.9.9.9 table 254: Network is unreachable";
    assert!(unreachable.to_string().starts_with(expected), "{unreachable}");
}

#[test]
fn a_command_sees_its_own_links_in_proc_and_sys() {
    let namespace = Namespace::new("inside").unwrap();
    let other = Namespace::new("other").unwrap();
    veth((&namespace, "inner"), (&other, "outer")).unwrap();

    let listed = namespace.command("ls").arg("/sys/class/net").output().unwrap();
    assert!(listed.status.success());
    assert_eq!(String::from_utf8(listed.stdout).unwrap(), "inner\nlo\n");
    let counted = namespace.command("cat").arg("/proc/self/net/dev").output().unwrap();
    assert!(String::from_utf8(counted.stdout).unwrap().contains("inner:"));
}

#[test]
fn a_command_starts_in_the_directory_it_was_given() {
    let namespace = Namespace::new("cwd").unwrap();
    let output = namespace.command("pwd").current_dir("/usr").output().unwrap();
    assert_eq!(output.stdout, b"/usr\n");
}

#[test]
fn a_guard_kills_and_reaps_its_program() {
    let namespace = Namespace::new("guarded").unwrap();
    let child = KillOnDrop(namespace.command("sleep").arg("600").spawn().unwrap());
    let process = format!("/proc/{}", child.0.id());
    assert!(fs::exists(&process).unwrap());
    drop(child);
    assert!(!fs::exists(&process).unwrap());
}

#[test]
fn a_program_dies_with_the_thread_that_started_it() {
    let namespace = Namespace::new("orphan").unwrap();
    let mut child =
        thread::spawn(move || namespace.command("sleep").arg("600").spawn().unwrap()).join().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
fn an_entered_thread_and_what_it_starts_are_inside() {
    let namespace = Namespace::new("entered").unwrap();
    let output = thread::spawn(move || {
        namespace.enter().unwrap();
        Command::new("ls").arg("/sys/class/net").output().unwrap()
    })
    .join()
    .unwrap();
    assert_eq!(output.stdout, b"lo\n");
}

/// Set for the process that [`sigkill_leaves_nothing_behind`] starts and kills.
const HOLDER: &str = "LIGHTPATH_LAB_TEST_HOLDER";

#[test]
fn sigkill_leaves_nothing_behind() {
    let outer = Namespace::new("outer").unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut holder = outer
        .command(env::current_exe().unwrap().to_str().unwrap())
        .args(["--exact", "hold_a_lab_until_killed", "--ignored", "--nocapture"])
        .env(HOLDER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(holder.stdout.take().unwrap()).lines();
    let ready = output.find(|line| line.as_ref().unwrap().contains("the lab stands"));
    assert!(ready.is_some(), "the holder ended early: {:?}", holder.wait());
    assert_eq!(links(&outer), ["lo", "probe"]);

    holder.kill().unwrap();
    holder.wait().unwrap();
    eventually("the killed process's link is gone", || links(&outer) == ["lo"]);
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
    assert!(!fs::exists("/sys/fs/bpf/left-behind").unwrap());
    assert!(!fs::exists("/sys/fs/bpf/scratch").unwrap());
}

#[test]
#[ignore = "the process that sigkill_leaves_nothing_behind starts and kills"]
fn hold_a_lab_until_killed() {
    if env::var_os(HOLDER).is_none() {
        return;
    }
    let scratch = lightpath_lab::isolate().unwrap();
    fs::write(scratch.join("state"), "left behind").unwrap();
    fs::create_dir("/sys/fs/bpf/left-behind").unwrap();
    let lab = lightpath_lab::topology::OneArmed::new(2).unwrap();
    veth((&Namespace::current("outer").unwrap(), "probe"), (&lab.client.ns, "probe")).unwrap();
    println!("\nthe lab stands");
    thread::sleep(Duration::from_mins(1));
}
