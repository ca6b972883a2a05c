//! What tests of more than one client or terminal say and hear.

use std::time::Duration;

use bytes::Bytes;
use fabrica_protocol::kterm::{ClientFrame, OpenRequest, ServerFrame};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::{Client, Runtime};

/// Types into terminal 1; returns the offset behind it.
pub async fn type_from(client: &mut Client, offset: u64, text: &str) -> u64 {
    client.type_text(offset, text).await;
    offset + text.len() as u64
}

pub async fn type_into(client: &mut Client, terminal: u16, offset: u64, text: &str) {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    client.send(&ClientFrame::Input { terminal, auto: false, offset, bytes }).await;
}

/// Opens another terminal and attaches it.
pub async fn open(client: &mut Client, key: u128) -> u16 {
    client.send(&ClientFrame::Open { key, request: OpenRequest::default() }).await;
    let name = format!("{key:032x}");
    let terminal = client
        .until(|frame| match frame {
            ServerFrame::Terms(list) => {
                list.terms.iter().find(|term| term.key.as_ref() == Some(&name)).map(|term| term.id)
            }
            _ => None,
        })
        .await;
    attach(client, terminal).await;
    terminal
}

/// As a page attaches that has nothing.
pub async fn attach(client: &mut Client, terminal: u16) {
    let mut frame = vec![0x05, 0];
    frame.extend(terminal.to_le_bytes());
    frame.extend(u64::MAX.to_le_bytes());
    frame.extend(0_u64.to_le_bytes());
    frame.extend(u32::MAX.to_le_bytes());
    frame.extend([80, 0, 24, 0, 0]);
    client.send_raw(Message::binary(frame)).await;
}

/// Reads until there is output, acknowledges it, and says how much it was.
pub async fn take_output(client: &mut Client) -> usize {
    loop {
        if let ServerFrame::Output { terminal, offset, bytes } = client.next().await {
            let end = offset + bytes.len() as u64;
            client.send(&ClientFrame::Ack { terminal, offset: end }).await;
            return bytes.len();
        }
    }
}

/// Reads and acknowledges everything until one terminal says this.
pub async fn read_from(client: &mut Client, wanted: u16, text: &str) {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(text) {
        if let ServerFrame::Output { terminal, offset, bytes } = client.next().await {
            let end = offset + bytes.len() as u64;
            client.send(&ClientFrame::Ack { terminal, offset: end }).await;
            if terminal == wanted {
                seen.extend_from_slice(&bytes);
            }
        }
    }
}

/// The median time until a line comes back from `cat` in terminal 1.
pub async fn echoes(client: &mut Client, typed: &mut u64) -> Duration {
    let mut times = Vec::new();
    for number in 0..21 {
        let line = format!("echo-{number}");
        let started = Instant::now();
        *typed = type_from(client, *typed, &format!("{line}\n")).await;
        read_from(client, 1, &format!("{line}\r\n")).await;
        times.push(started.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

/// Resident memory that is nobody else's, in KiB.
pub fn resident(runtime: &Runtime) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", runtime.process.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
