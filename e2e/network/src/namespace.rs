//! Real losses, by the kernel: a test runs once more, alone, in a network of its own.

use std::process::Command;

/// Tells a test that it is in a network of its own.
const INSIDE: &str = "FABRICA_TEST_NETWORK";

/// What a test finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The kernel drops packets here: get on with it.
    Inside,
    /// It was run inside, and it passed: there is nothing left to do.
    Done,
    /// This machine gives no such network: use the model.
    Nowhere,
}

/// Runs the test of this name again where the kernel drops this share of all packets, by netem, else by a rule of
/// iptables. Panics with what it said when it fails there.
pub fn losing(test: &str, percent: u8) -> Place {
    if std::env::var_os(INSIDE).is_some() {
        return Place::Inside;
    }
    let share = f64::from(percent) / 100.0;
    let rules = format!(
        "ip link set lo up && {{ tc qdisc add dev lo root netem loss {percent}% || \
         iptables -A INPUT -m statistic --mode random --probability {share} -j DROP; }}"
    );
    let able = shell(&rules).output().is_ok_and(|output| output.status.success());
    if !able {
        eprintln!(
            "the model of a lossy network is used: real losses need root, unshare, and tc or iptables"
        );
        return Place::Nowhere;
    }
    let program = std::env::current_exe().expect("a test has a path");
    let run = format!("{rules}\nexec \"$0\" --exact \"$1\" --nocapture");
    let output =
        shell(&run).arg(program).arg(test).env(INSIDE, "1").output().expect("unshare runs");
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success() && said[0].contains("1 passed"), "{}", said.concat());
    Place::Done
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", script]);
    command
}
