//! Somebody before a screen, who uses `kubectl fabrica` at a real pseudo-terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::Namespace;
use crate::cluster::DEADLINE;
use crate::page::{ENOUGH, check_numbers};

/// The plugin, for whoever has this token.
pub fn plugin(namespace: &Namespace, token: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("kubectl");
    command.args(["fabrica", "--namespace", &namespace.name, "--token", token]).args(arguments);
    command
}

/// The person. `script`, of util-linux, makes the pseudo-terminal.
#[derive(Debug)]
pub struct Person {
    keyboard: File,
    output: mpsc::UnboundedReceiver<Vec<u8>>,
    shown: Vec<u8>,
    pub command: Child,
}

impl Person {
    pub fn at(command: &Command) -> Result<Self> {
        let command = command.as_std();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let line: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
        let (reader, writer) = std::io::pipe()?;
        let (mut screen, shown) = std::io::pipe()?;
        let child = Command::new("script")
            .args(["--quiet", "--return", "--echo", "never"])
            .args(["--command", &line.join(" "), "/dev/null"])
            .stdin(Stdio::from(reader))
            .stdout(Stdio::from(shown))
            .kill_on_drop(true)
            .spawn()
            .context("script is there in every Debian")?;
        let (sender, output) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 16_384];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let keyboard = File::from(std::os::fd::OwnedFd::from(writer));
        Ok(Self { keyboard, output, shown: Vec::new(), command: child })
    }

    pub fn types(&mut self, text: &str) -> Result<()> {
        Ok(self.keyboard.write_all(text.as_bytes())?)
    }

    /// Waits until this is shown.
    pub async fn sees(&mut self, text: &str) -> Result<()> {
        let reading = async {
            while !String::from_utf8_lossy(&self.shown).contains(text) {
                match self.output.recv().await {
                    Some(bytes) => self.shown.extend(bytes),
                    None => bail!("it ended"),
                }
            }
            Ok(())
        };
        let read = tokio::time::timeout(DEADLINE, reading).await;
        read.unwrap_or_else(|_| bail!("too long")).with_context(|| {
            format!("«{text}» was not shown: {}", String::from_utf8_lossy(&self.shown))
        })
    }

    /// Ends a [`crate::page::PRINTER`], and checks that each number was shown once, in order.
    pub async fn check_numbers(&mut self) -> Result<()> {
        self.types(ENOUGH)?;
        self.sees("total=").await?;
        self.sees("=\r\n").await?;
        check_numbers(&self.text())
    }

    /// All that was shown, without what titles said.
    pub fn text(&self) -> String {
        let shown = String::from_utf8_lossy(&self.shown);
        let mut parts = shown.split("\x1b]");
        let first = parts.next().unwrap_or_default().to_owned();
        let behind = |part: &str| part.split_once('\x07').map_or("", |(_, rest)| rest).to_owned();
        let text: String = std::iter::once(first).chain(parts.map(behind)).collect();
        text.replace("\x1b[22;2t", "").replace("\x1b[23;2t", "")
    }
}
