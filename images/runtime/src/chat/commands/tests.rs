use std::io::Write;

use super::*;

fn started(commands: &mut Commands, id: &str, line: &str) {
    let (id, name, input) = (id.to_owned(), SHELL.to_owned(), line.to_owned());
    commands.learn(Entry::ToolStarted { id, name, input });
}

fn finished(commands: &mut Commands, id: &str, output: &str, failed: bool) {
    let (id, output, duration_ms) = (id.to_owned(), output.to_owned(), Some(1_234));
    commands.learn(Entry::ToolFinished { id, output, failed, duration_ms });
}

/// What there is to show, without colours.
fn look(commands: &mut Commands) -> String {
    let text = String::from_utf8(commands.look()).unwrap();
    ["[2m", "[22;1m", "[0m"]
        .iter()
        .fold(text.replace('\u{1b}', ""), |text, colour| text.replace(colour, ""))
}

#[test]
fn what_a_command_writes_is_shown_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("former.output"), "of before").unwrap();
    let mut commands = Commands::new(folder.path().to_owned());
    started(&mut commands, "toolu_01AbCdEf", "make\ntest");
    assert_eq!(look(&mut commands), "[AbCdEf] $ make\r\n> test\r\n");
    let path = folder.path().join("x.output");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"one\n").unwrap();
    assert_eq!(look(&mut commands), "one\r\n");
    file.write_all(b"two\nthr").unwrap();
    // The agent's program removes it as soon as the command has ended.
    std::fs::remove_file(&path).unwrap();
    file.write_all(b"ee").unwrap();
    finished(&mut commands, "toolu_01AbCdEf", "cut by the program", false);
    assert_eq!(look(&mut commands), "two\r\nthree\r\n[AbCdEf] done after 1.2 s\r\n\r\n");
    assert!(!commands.run());
}

#[test]
fn what_was_too_short_to_be_seen_is_shown_as_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut commands = Commands::new(folder.path().join("absent"));
    started(&mut commands, "a", "false");
    finished(&mut commands, "a", "Exit code 1", true);
    assert_eq!(look(&mut commands), "[a] $ false\r\nExit code 1\r\n[a] failed after 1.2 s\r\n\r\n");
}

#[test]
fn commands_at_once_are_shown_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut commands = Commands::new(folder.path().to_owned());
    started(&mut commands, "a", "first");
    started(&mut commands, "b", "second");
    for name in ["1.output", "2.output"] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    assert_eq!(look(&mut commands), "[a] $ first\r\n");
    finished(&mut commands, "b", "of b", false);
    assert_eq!(look(&mut commands), "");
    finished(&mut commands, "a", "of a", false);
    let both = look(&mut commands);
    assert!(
        both.starts_with("of a\r\n[a] done") && both.contains("[b] $ second\r\nof b\r\n[b] done"),
        "{both}"
    );
}

#[test]
fn a_command_of_which_nothing_more_is_told_ends_with_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let mut commands = Commands::new(folder.path().to_owned());
    started(&mut commands, "a", "lost");
    std::fs::write(folder.path().join("a.output"), "half").unwrap();
    assert_eq!(look(&mut commands), "[a] $ lost\r\nhalf");
    let over = TurnState::Interrupted;
    commands.learn(Entry::Turn { state: over, code: None, message: None });
    assert_eq!(look(&mut commands), "\r\n[a] over\r\n\r\n");
    assert!(!commands.run());
    started(&mut commands, "b", "next");
    assert_eq!(look(&mut commands), "[b] $ next\r\n", "the file of the one before is not its own");
    commands.learn(Entry::Turn { state: TurnState::Started, code: None, message: None });
    std::fs::write(folder.path().join("b.output"), "its own").unwrap();
    assert_eq!(look(&mut commands), "its own");
}

#[test]
fn what_was_left_by_a_short_command_is_not_taken_for_the_next_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut commands = Commands::new(folder.path().to_owned());
    started(&mut commands, "a", "first");
    std::fs::write(folder.path().join("a.output"), "of a").unwrap();
    finished(&mut commands, "a", "of a", false);
    assert!(look(&mut commands).contains("of a"));
    started(&mut commands, "b", "second");
    assert_eq!(look(&mut commands), "[b] $ second\r\n");
    std::fs::remove_file(folder.path().join("a.output")).unwrap();
    std::fs::write(folder.path().join("b.output"), "of b").unwrap();
    assert_eq!(look(&mut commands), "of b");
    finished(&mut commands, "b", "of b", false);
    assert!(look(&mut commands).contains("done") && commands.former.len() == 1);
}

#[test]
fn of_a_flood_the_end_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut commands = Commands::new(folder.path().to_owned());
    started(&mut commands, "a", "yes");
    let written = format!("{}end", "y".repeat(1_000_000));
    std::fs::write(folder.path().join("x.output"), written).unwrap();
    let shown = look(&mut commands);
    assert!(
        shown.contains("… 737859 bytes are left out …\r\ny") && shown.ends_with("yend"),
        "{}",
        shown.len()
    );
    assert!(shown.len() < 270_000);
}

#[test]
fn only_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hidden").unwrap();
    let mut commands = Commands::new(folder.path().to_owned());
    started(&mut commands, "a", "ln -s");
    std::os::unix::fs::symlink(&secret, folder.path().join("x.output")).unwrap();
    assert_eq!(look(&mut commands), "[a] $ ln -s\r\n");
    assert_eq!(look(&mut commands), "");
}

#[test]
fn a_folder_that_was_filled_is_not_looked_through() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..=FILES {
        std::fs::write(folder.path().join(format!("{number}.txt")), "").unwrap();
    }
    let mut commands = Commands::new(folder.path().to_owned());
    for number in 0..2 * COMMANDS {
        started(&mut commands, &format!("c{number}"), "x");
    }
    assert_eq!(commands.all.len(), COMMANDS);
    for number in 1..2 * COMMANDS {
        finished(&mut commands, &format!("c{number}"), "", false);
    }
    std::fs::write(folder.path().join("c0.output"), "growing").unwrap();
    assert_eq!(look(&mut commands), "[c0] $ x\r\n");
    finished(&mut commands, "c0", "of c0", false);
    assert!(look(&mut commands).contains("of c0"), "what the program tells is shown");
}
