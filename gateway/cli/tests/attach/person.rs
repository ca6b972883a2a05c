//! A person at a real pseudo-terminal in which the command runs.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tokio::process::{Child, Command};

use super::door::{Door, PATIENCE};

/// What the screen was sent, and whom to wake when there is more.
type Shown = Arc<(Mutex<Vec<u8>>, Condvar)>;

pub(crate) struct Person {
    keyboard: File,
    /// Kept open, so that the settings can be read after the command.
    slave: OwnedFd,
    shown: Shown,
    /// Whether the screen takes what it is sent.
    looks: Arc<(Mutex<bool>, Condvar)>,
    command: Child,
}

impl Person {
    /// Runs the command; the screen has 24 lines of 80 columns.
    pub(crate) fn at(door: &Door, arguments: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let keyboard = File::from(master);
        set_size(&keyboard, 80, 24);
        // setsid makes it the session's own terminal, so that it hears of its size.
        let command = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_kubectl-fabrica")])
            .args(["--url", &door.url, "--token", "secret", "--namespace", "demo"])
            .args(arguments)
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let shown = Shown::default();
        let (mut screen, seen) = (keyboard.try_clone().unwrap(), Arc::clone(&shown));
        let looks = Arc::new((Mutex::new(true), Condvar::new()));
        let looking = Arc::clone(&looks);
        std::thread::spawn(move || {
            let mut buffer = [0; 16_384];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                let looks = looking.0.lock().unwrap();
                drop(looking.1.wait_while(looks, |looks| !*looks).unwrap());
                seen.0.lock().unwrap().extend_from_slice(&buffer[..count]);
                seen.1.notify_all();
            }
        });
        Self { keyboard, slave, shown, looks, command }
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Has the screen take what it is sent, or not.
    pub(crate) fn looks(&self, looks: bool) {
        *self.looks.0.lock().unwrap() = looks;
        self.looks.1.notify_all();
    }

    pub(crate) fn resizes(&self, cols: u16, rows: u16) {
        set_size(&self.keyboard, cols, rows);
    }

    /// Waits until this is shown, and answers all that was.
    pub(crate) fn sees(&self, text: &str) -> String {
        self.sees_within(text, PATIENCE).unwrap_or_else(|shown| {
            let from = shown.len().saturating_sub(2_000);
            panic!("waited in vain for {text:?}: {:?}", &shown[shown.floor_char_boundary(from)..])
        })
    }

    /// The same, with less patience; what was shown in both cases.
    pub(crate) fn sees_within(&self, text: &str, patience: Duration) -> Result<String, String> {
        let deadline = Instant::now() + patience;
        let mut shown = self.shown.0.lock().unwrap();
        loop {
            let now = String::from_utf8_lossy(&shown).into_owned();
            if now.contains(text) {
                return Ok(now);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(now);
            }
            shown = self.shown.1.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// Waits until more than this was shown, and answers how much it is.
    pub(crate) fn sees_more(&self, than: usize) -> usize {
        let shown = self.shown.0.lock().unwrap();
        let more = self.shown.1.wait_timeout_while(shown, PATIENCE, |shown| shown.len() <= than);
        more.unwrap().0.len()
    }

    /// Whether the command still runs after this time.
    pub(crate) async fn stays(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.command.wait()).await.is_err()
    }

    /// Waits for the command's end, and answers its code and whether lines and echo are as before.
    pub(crate) async fn leaves(&mut self) -> (Option<i32>, bool) {
        let ended = tokio::time::timeout(PATIENCE, self.command.wait()).await;
        let code = ended.expect("the command ends").unwrap().code();
        let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        (code, tcgetattr(&self.slave).unwrap().local_modes.contains(cooked))
    }
}

fn set_size(keyboard: &File, ws_col: u16, ws_row: u16) {
    let size = Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(keyboard, size).unwrap();
}

/// What was shown, without what a title says.
pub(crate) fn without_titles(shown: &str) -> String {
    let mut text = String::new();
    for (index, part) in shown.split("\x1b]").enumerate() {
        let part =
            if index == 0 { part } else { part.split_once('\x07').map_or("", |(_, rest)| rest) };
        text.push_str(part);
    }
    text.replace("\x1b[22;2t", "").replace("\x1b[23;2t", "")
}
