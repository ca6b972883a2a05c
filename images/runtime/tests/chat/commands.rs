//! What the agent runs, in its terminal.

use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::{ClientFrame, ErrorCode, ServerFrame, TerminalInfo, TerminalType};
use serde_json::{Value, json};

use crate::pod::{Pod, cli, model};
use crate::server::Server;
use crate::support::talk::{attach, type_into};
use crate::support::{Client, hello};

/// Waits for the list of terminals that has the agent's.
async fn agents(client: &mut Client) -> TerminalInfo {
    let is_agents = |term: &TerminalInfo| term.terminal_type == TerminalType::Agent && term.alive;
    client
        .until(|frame| match frame {
            ServerFrame::Terms(list) => list.terms.into_iter().find(is_agents),
            _ => None,
        })
        .await
}

/// The end of the id of the newest command, as its terminal has it.
fn mark(seen: &[Value]) -> String {
    let calls = seen.iter().rev().find(|it| it["kind"] == "tool_use" && it["name"] == "Bash");
    let letters = calls.unwrap()["messageId"].as_str().unwrap().chars();
    let letters: Vec<char> = letters.filter(char::is_ascii_alphanumeric).collect();
    letters[letters.len() - 6..].iter().collect()
}

#[tokio::test]
async fn what_the_agent_runs_is_seen_while_it_runs_and_nobody_types_there() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let pod = Pod::begin(&server, &model, &cli, &[]).await;
    let (mut page, _) = pod.0.greet(Role::Control, hello("page", None, None)).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", "scenario: chat-shell").await;
    let terminal = agents(&mut page).await;
    assert_eq!((terminal.title.as_str(), terminal.key), ("agent", None));
    attach(&mut page, terminal.id).await;
    let first = page.read_until("\u{1b}[32mfirst").await;
    assert!(first.contains("$ printf"), "{first}");
    type_into(&mut page, terminal.id, 0, "exit\r").await;
    let refused = |frame| match frame {
        ServerFrame::Error { code, text, .. } => Some((code, text)),
        _ => None,
    };
    let (code, text) = page.until(refused).await;
    assert!(code == ErrorCode::ReadOnly && text.contains("nobody types there"), "{text}");
    // It runs until now.
    std::fs::write(pod.0.workspace().join("go"), "").unwrap();
    let last = page.read_until(" done after ").await;
    assert!(last.starts_with("last\r\n"), "{last}");
    ada.text("It came.").await;
    let mark = mark(&ada.all);
    assert!(
        first.contains(&format!("[{mark}]")) && last.contains(&format!("[{mark}]")),
        "{mark} {first}"
    );

    // Who closes it sees the next command in another one.
    page.send(&ClientFrame::Close { terminal: terminal.id, signal: 0 }).await;
    ada.say("m-2", "scenario: chat-tool").await;
    let next = agents(&mut page).await;
    attach(&mut page, next.id).await;
    let seen = page.read_until(" done after ").await;
    assert!(seen.contains("$ echo found") && seen.contains("\r\nfound\r\n"), "{seen}");
}
