//! The CLI as a process: one writer, one reader, and the end of what it complains about.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fabrica_protocol::chat::QUEUED;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::sync::mpsc;

use crate::children::{self, Owned};
use crate::run::output::Output;
use crate::secrets::Secrets;

/// The longest line that is understood: a tool call holds a whole file. Longer ones are passed over.
const LINE_BYTES: usize = 16 * 1024 * 1024;
/// Lines between the program and us: few, as each may be long.
const LINES: usize = 4;
/// Lines to the program: more than people's messages that may wait and the answers to its questions. Whoever writes also
/// reads what the program says, so it must not wait for the program to read.
const WRITTEN: usize = 4 * QUEUED;

/// The running CLI.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Keeps the child from being reaped as an orphan.
    _owned: Owned,
    input: Option<mpsc::Sender<Value>>,
    lines: mpsc::Receiver<Vec<u8>>,
    complaints: Arc<Mutex<Output>>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> std::io::Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Whatever happens to us, it does not go on alone.
            .kill_on_drop(true)
            .process_group(0);
        let (mut child, owned) = children::spawn(|| command.spawn(), Child::id)?;
        let closed = || std::io::Error::other("a pipe of the program is not there");
        let stdin = child.stdin.take().ok_or_else(closed)?;
        let stdout = child.stdout.take().ok_or_else(closed)?;
        let stderr = child.stderr.take().ok_or_else(closed)?;
        let (input, values) = mpsc::channel(WRITTEN);
        let (sender, lines) = mpsc::channel(LINES);
        let complaints = Arc::new(Mutex::new(Output::default()));
        tokio::spawn(write(stdin, values));
        tokio::spawn(read(BufReader::new(stdout), sender));
        tokio::spawn(listen(stderr, complaints.clone()));
        Ok(Self { child, _owned: owned, input: Some(input), lines, complaints })
    }

    /// The next line; nothing when there will be none. May be dropped and asked again.
    pub(crate) async fn line(&mut self) -> Option<Vec<u8>> {
        self.lines.recv().await
    }

    /// Writes a line. A program that no longer reads has ended, which its lines tell.
    pub(crate) async fn write(&self, line: Value) {
        if let Some(input) = &self.input {
            let _ = input.send(line).await;
        }
    }

    /// Says that nothing more comes, and waits for it to end by itself.
    pub(crate) async fn finish(&mut self, patience: Duration) -> Option<ExitStatus> {
        self.input = None;
        // It may have more to say than a pipe holds.
        let end = async {
            loop {
                tokio::select! {
                    status = self.child.wait() => break status.ok(),
                    Some(_) = self.lines.recv() => {}
                }
            }
        };
        tokio::time::timeout(patience, end).await.ok().flatten()
    }

    /// Tells it and its children to end, and waits a little.
    pub(crate) async fn end(&mut self, patience: Duration) {
        let group = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            // A group that is gone needs no signal.
            let _ = kill_process_group(group, Signal::TERM);
        }
        self.finish(patience).await;
    }

    /// The end of what it complained about.
    pub(crate) fn complaints(&self) -> String {
        let text = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let text = text.text(&Secrets::default());
        let end: Vec<char> = text.chars().rev().take(300).collect();
        end.into_iter().rev().collect()
    }
}

async fn write(mut stdin: ChildStdin, mut values: mpsc::Receiver<Value>) {
    while let Some(value) = values.recv().await {
        // Whole lines only: half a line ends the program.
        let line = format!("{value}\n");
        if stdin.write_all(line.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn read(mut stdout: impl AsyncBufRead + Unpin, lines: mpsc::Sender<Vec<u8>>) {
    while let Ok(Some(line)) = next_line(&mut stdout).await {
        if lines.send(line).await.is_err() {
            return;
        }
    }
}

/// The next line that is not too long.
async fn next_line(from: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<Vec<u8>>> {
    let (mut line, mut too_long) = (Vec::new(), false);
    loop {
        let bytes = from.fill_buf().await?;
        if bytes.is_empty() {
            return Ok((!line.is_empty() && !too_long).then_some(line));
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let piece = &bytes[..end.unwrap_or(bytes.len())];
        too_long |= line.len() + piece.len() > LINE_BYTES;
        if too_long {
            line.clear();
        } else {
            line.extend_from_slice(piece);
        }
        let taken = piece.len() + usize::from(end.is_some());
        from.consume(taken);
        match end {
            Some(_) if too_long => too_long = false,
            Some(_) if line.is_empty() => {}
            Some(_) => return Ok(Some(line)),
            None => {}
        }
    }
}

async fn listen(mut stderr: ChildStderr, complaints: Arc<Mutex<Output>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        complaints.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
        let (mut from, mut all) = (BufReader::with_capacity(7, bytes), Vec::new());
        while let Some(line) = next_line(&mut from).await.unwrap() {
            all.push(line);
        }
        all
    }

    #[tokio::test]
    async fn lines_are_whole_and_bounded() {
        assert_eq!(
            lines(b"one\n\ntwo and more\nthree").await,
            [&b"one"[..], b"two and more", b"three"]
        );
        let long = [b"a\n".to_vec(), vec![b'x'; LINE_BYTES + 1], b"\nb\n".to_vec()].concat();
        assert_eq!(lines(&long).await, [b"a", b"b"]);
        let longest = vec![b'x'; LINE_BYTES];
        assert_eq!(lines(&longest).await, [longest]);
    }
}
