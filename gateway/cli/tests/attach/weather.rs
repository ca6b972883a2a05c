//! The command over a network that is far, lossy, silent, or cut under a full house.

use std::fmt::Write;
use std::time::{Duration, Instant};

use fabrica_test_network::Weather;

use super::door::Door;
use super::person::{Person, without_titles};
use super::{CUTS, PROMPT};

/// As many terminals as a Session may have, and a person before each.
const TERMINALS: usize = 16;

/// Numbers that a shell counted, without their prefix.
fn counted(shown: &str, prefix: &str) -> Vec<u32> {
    shown.lines().filter_map(|line| line.trim_end().strip_prefix(prefix)?.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_shells_come_back_over_every_cut() {
    const NUMBERS: u32 = 2_000;
    let Some(door) = Door::open().await else { return };
    door.open_terminals(TERMINALS).await;
    let mut persons: Vec<Person> = (1..=TERMINALS)
        .map(|terminal| Person::at(&door, &["attach", "box", "--terminal", &terminal.to_string()]))
        .collect();
    for person in &mut persons {
        person.sees(PROMPT);
        person.types("stty -echo; PS1=; echo is-'ready'; read line\r");
        person.sees("is-ready");
    }
    for (index, person) in persons.iter_mut().enumerate() {
        person.types(&format!(
            "\rfor i in $(seq {NUMBERS}); do echo t{index}=$i; done; echo all-'counted'\r"
        ));
    }
    let mut seen = 0;
    for _ in 0..CUTS / 2 {
        seen = persons[0].sees_more(seen);
        door.network.reset();
    }
    for (index, person) in persons.iter_mut().enumerate() {
        let shown = without_titles(&person.sees("all-counted"));
        let numbers = counted(&shown, &format!("t{index}="));
        assert!(
            numbers.iter().copied().eq(1..=NUMBERS),
            "terminal {index}: {} numbers",
            numbers.len()
        );
    }
    for person in &mut persons {
        person.types("\r~.");
        assert_eq!(person.leaves().await, (Some(0), true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_far_and_lossy_network_costs_time_alone() {
    let Some(door) = Door::open().await else { return };
    door.network.set_weather(Weather { delay: Duration::from_millis(150), loss: 0.3 });
    let mut person = Person::at(&door, &["attach", "box"]);
    person.sees(PROMPT);
    person.types("stty -echo; PS1=; echo cat-'reads'; cat > typed\r");
    person.sees("cat-reads");
    let keys = (0..200).fold(String::new(), |mut keys, number| {
        write!(keys, "key-{number}\r").unwrap();
        keys
    });
    person.types(&keys);
    person.types("\x04for i in $(seq 20000); do echo n=$i; done; echo all-'counted'\r");
    let shown = without_titles(&person.sees("all-counted"));
    assert!(counted(&shown, "n=").into_iter().eq(1..=20_000));
    assert_eq!(
        std::fs::read_to_string(door.workspace().join("typed")).unwrap(),
        keys.replace('\r', "\n")
    );
}

/// Nobody tells the command that its network is gone: it asks, gives up, and comes back. Keys typed meanwhile arrive once,
/// though the first connection delivers them in the end, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_falls_silent_is_noticed() {
    let Some(door) = Door::open().await else { return };
    let mut person = Person::at(&door, &["attach", "box"]);
    person.sees(PROMPT);
    person.types("stty -echo; PS1=; echo cat-'reads'; cat > typed\r");
    person.sees("cat-reads");
    door.network.strand();
    person.types("once\r");
    person.sees("\x1b]2;box: ");
    person.sees("\x1b[23;2t");
    door.network.deliver();
    person.types("\x04echo all-'typed'\r");
    person.sees("all-typed");
    assert_eq!(std::fs::read_to_string(door.workspace().join("typed")).unwrap(), "once\n");
}

/// A program that would print for long, and whoever stops it does not wait for what it has printed already.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_stopped_at_once() {
    /// Far less than the flood would take, far more than a loaded machine needs.
    const AT_ONCE: Duration = Duration::from_secs(5);
    let Some(door) = Door::open().await else { return };
    let mut person = Person::at(&door, &["attach", "box"]);
    person.sees(PROMPT);
    person.types("yes | head -c 100000000; echo all-'printed'\r");
    person.sees_more(1_000_000);
    let stopped = Instant::now();
    person.types("\x03");
    person.types("echo after-'flood'\r");
    let shown = person.sees("after-flood");
    assert!(stopped.elapsed() < AT_ONCE, "{:?}", stopped.elapsed());
    assert!(shown.len() < 100_000_000 && !shown.contains("all-printed"), "{} bytes", shown.len());
}
