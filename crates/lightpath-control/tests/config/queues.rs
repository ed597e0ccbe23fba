//! Queues, and the CPUs that packets are spread over.

use std::collections::BTreeSet;

use lightpath_control::config::parse;
use lightpath_control::model::{Config, Queues, Spread};

use super::{RIGHT, mistakes};

fn with_node(line: &str) -> String {
    RIGHT.replace("interfaces = [\"eth0\"]", &format!("interfaces = [\"eth0\"]\n{line}"))
}

#[test]
fn queues_and_cpus_mean_what_is_written() {
    let node = |line: &str| {
        let Config { node, .. } = parse(&with_node(line), "f.toml").unwrap();
        (node.queues, node.spread)
    };
    let over = |cpus: &[u32]| Spread::Over(cpus.iter().copied().collect::<BTreeSet<_>>());
    for (line, expected) in [
        ("", (Queues::Keep, Spread::Off)),
        ("queues = \"keep\"\nspread = \"off\"", (Queues::Keep, Spread::Off)),
        ("queues = \"auto\"\nspread = \"all\"", (Queues::Auto, Spread::All)),
        ("queues = 8\nspread = \"0-2,7\"", (Queues::Count(8), over(&[0, 1, 2, 7]))),
        ("spread = \"1\"", (Queues::Keep, over(&[1]))),
    ] {
        assert_eq!(node(line), expected, "{line}");
    }
}

#[test]
fn a_number_of_queues_is_one() {
    let help = "write \"keep\", \"auto\" or a number from 1 to 1024";
    for (written, expected) in [
        ("0", format!("0 is no number of queues; {help}")),
        ("-1", format!("-1 is no number of queues; {help}")),
        ("1025", format!("1025 is no number of queues; {help}")),
        ("\"8\"", "\"8\" is a string; write the number without quotes: 8".to_owned()),
        ("\"all\"", format!("\"all\" is not known; {help}")),
        ("true", format!("true is a boolean; {help}")),
    ] {
        let text = with_node(&format!("queues = {written}"));
        assert_eq!(mistakes(&text), [format!("f.toml:3:10: node: queues: {expected}")]);
    }
}

#[test]
fn cpus_are_a_list_of_numbers() {
    let help = "write \"off\", \"all\" or CPUs such as \"0-3\" or \"1,2,4-7\"";
    for (written, expected) in [
        ("\"flow\"", format!("\"flow\" is no list of CPUs; {help}")),
        ("\"3-1\"", format!("\"3-1\" is no list of CPUs; {help}")),
        ("\"0-1023,1024\"", format!("\"0-1023,1024\" names a CPU beyond 1023; {help}")),
        ("\"0-99999999\"", format!("\"0-99999999\" is no list of CPUs; {help}")),
        ("\"\"", format!("\"\" names no CPU; {help}")),
        ("2", format!("2 is an integer; {help}")),
        ("[0, 1]", format!("[0, 1] is an array; {help}")),
    ] {
        let text = with_node(&format!("spread = {written}"));
        assert_eq!(mistakes(&text), [format!("f.toml:3:10: node: spread: {expected}")]);
    }
}
