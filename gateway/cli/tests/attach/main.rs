//! The command at a real pseudo-terminal, before a real runtime, over a network that comes and goes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

mod door;
mod person;
mod weather;

use std::time::Duration;

use door::Door;
use person::{Person, without_titles};
use tokio::process::Command;

/// How many times the connection is cut while keys and output are on their way.
const CUTS: usize = 30;

/// What bash says before each prompt, whoever it runs as: pastes may be marked.
const PROMPT: &str = "\x1b[?2004h";

#[tokio::test(flavor = "multi_thread")]
async fn no_key_and_no_byte_is_lost_or_doubled() {
    let Some(door) = Door::open().await else { return };
    let mut person = Person::at(&door, &["attach", "box"]);
    person.sees(PROMPT);
    person.types("stty -echo; PS1=; echo cat-'reads'; cat > typed\r");
    person.sees("cat-reads");
    for round in 0..CUTS {
        person.types(&format!("key-{round}\r"));
        if round % 2 == 0 {
            door.network.reset();
        } else {
            door.network.close();
        }
    }
    person.types("\x04tr '\\n' ' ' < typed; echo all-'typed'\r");
    let shown = without_titles(&person.sees("all-typed"));
    let keys: Vec<String> = (0..CUTS).map(|round| format!("key-{round}")).collect();
    assert!(shown.contains(&format!("{} all-typed", keys.join(" "))), "{shown:?}");
    person.types("for i in $(seq 30000); do echo n=$i; done; echo all-'counted'\r");
    let mut seen = 0;
    for _ in 0..CUTS {
        seen = person.sees_more(seen);
        door.network.reset();
    }
    let shown = without_titles(&person.sees("all-counted"));
    let numbers: Vec<u32> =
        shown.lines().filter_map(|line| line.trim_end().strip_prefix("n=")?.parse().ok()).collect();
    assert!(numbers.iter().copied().eq(1..=30_000), "{} numbers", numbers.len());
    person.types("\r~.");
    assert_eq!(person.leaves().await, (Some(0), true));
    assert!(person.sees("Detached").contains("Detached from box; its shell goes on."));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_without_a_network_is_sent_when_it_is_back() {
    let Some(door) = Door::open().await else { return };
    let mut person = Person::at(&door, &["attach", "box"]);
    person.sees(PROMPT);
    // What was on the screen before is in its scrollback now.
    person.sees(&format!("\x1b[r\x1b[24;1H{}\x1b[H\x1b[2J", "\r\n".repeat(24)));
    door.network.set_open(false);
    person.sees("\x1b]2;box: ");
    person.types("echo while-'away'\r");
    person.sees("18 bytes typed wait");
    door.network.set_open(true);
    person.sees("while-away");
    person.sees("\x1b[23;2t");
    person.resizes(101, 33);
    let patience = Duration::from_millis(200);
    for _ in 0..100 {
        person.types("stty size\r");
        if person.sees_within("33 101", patience).is_ok() {
            break;
        }
    }
    person.types("exit 7\r");
    assert_eq!(person.leaves().await, (Some(7), true));
    person.sees("The shell of box ended with code 7.");
    // The next one gets a new shell.
    let mut person = Person::at(&door, &["attach", "box"]);
    person.types("echo anew-'$((6 * 7))'\r");
    person.sees("anew-$((6 * 7))");
}

/// The shell has ended long before a slow screen has shown what it printed.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_screen_shows_the_last_line() {
    /// A command that does not wait for its screen has gone by then.
    const AWAY: Duration = Duration::from_secs(4);
    let Some(door) = Door::open().await else { return };
    let mut person = Person::at(&door, &["attach", "box"]);
    person.sees(PROMPT);
    person.types("stty -echo; echo is-'ready'\r");
    person.sees("is-ready");
    let mut other = Person::at(&door, &["attach", "box", "--view"]);
    other.sees("is-ready");
    person.looks(false);
    person.types("echo; exec seq 30000\r");
    assert_eq!(other.leaves().await.0, Some(0));
    assert!(person.stays(AWAY).await);
    person.looks(true);
    assert_eq!(person.leaves().await, (Some(0), true));
    let shown = without_titles(&person.sees("The shell of box ended with code 0."));
    let numbers = shown.lines().filter_map(|line| line.trim_end().parse::<u32>().ok());
    assert!(numbers.eq(1..=30_000), "{:?}", shown.lines().next_back());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_sees_and_types_nothing() {
    let Some(door) = Door::open().await else { return };
    let mut owner = Person::at(&door, &["attach", "box"]);
    owner.sees(PROMPT);
    let mut watcher = Person::at(&door, &["attach", "box", "--view"]);
    watcher.types("touch watched\r");
    owner.types("echo for-'both'\r");
    owner.sees("for-both");
    watcher.sees("for-both");
    watcher.types("\x03");
    assert_eq!(watcher.leaves().await, (Some(0), true));
    assert!(!door.workspace().join("watched").exists());
    let mut lost = Person::at(&door, &["attach", "box", "--terminal", "9"]);
    assert_eq!(lost.leaves().await, (Some(1), true));
    lost.sees("error: there is no terminal 9; there are: 1 (");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_there_and_back() {
    let Some(door) = Door::open().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let here = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    std::fs::write(here("a b.bin"), &bytes).unwrap();
    let copy = async |from: String, to: String| {
        let output = Command::new(env!("CARGO_BIN_EXE_kubectl-fabrica"))
            .args([
                "--url",
                &door.url,
                "--token",
                "secret",
                "--namespace",
                "demo",
                "cp",
                &from,
                &to,
            ])
            .output()
            .await
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    };
    let said = copy(here("a b.bin"), "box:some/".to_owned()).await.unwrap();
    assert!(said.ends_with(" is box:some/a b.bin now, 2.8 MiB.\n"), "{said}");
    assert_eq!(std::fs::read(door.workspace().join("some/a b.bin")).unwrap(), bytes);
    copy("box:/workspace/some/a b.bin".to_owned(), here("back")).await.unwrap();
    assert_eq!(std::fs::read(here("back")).unwrap(), bytes);
    for (from, to, words) in [
        ("box:some".to_owned(), here("x"), "some is a folder: pack it first"),
        ("box:none".to_owned(), here("x"), "error: none does not exist"),
        (
            folder.path().to_string_lossy().into_owned(),
            "box:x".to_owned(),
            "is a folder: pack it first",
        ),
        (here("back"), "box:../x".to_owned(), "must lie below /workspace"),
        ("box:/etc/hostname".to_owned(), here("x"), "/etc/hostname must lie below /workspace"),
        (here("back"), here("x"), "as NAME:PATH"),
    ] {
        let refused = copy(from, to).await.unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert_eq!(left.len(), 2, "nothing of a failed download stays: {left:?}");
}
