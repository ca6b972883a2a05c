//! Terminals through the gateway: refusals, broken clients, and coming back without a gap.

use anyhow::{Result, ensure};
use bytes::Bytes;
use fabrica_e2e::cluster::with_namespace;
use fabrica_e2e::terminal::{Terminal, closed, next_frame, open, open_with};
use fabrica_e2e::{Gateway, Namespace};
use fabrica_protocol::kterm::{
    ClientFrame, ErrorCode, MAX_FRAME, OpenRequest, SUBPROTOCOL, ServerFrame, close,
};
use futures::SinkExt;
use k8s_openapi::api::rbac::v1::RoleBinding;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::lifecycle::editor;

fn path(namespace: &Namespace, session: &str) -> String {
    format!("/api/v1/namespaces/{}/sessions/{session}/terminal", namespace.name)
}

#[tokio::test]
async fn a_prompt_waits_before_anybody_comes() {
    with_namespace(|namespace| async move {
        namespace.ready_session("prompt", json!({})).await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut terminal = Terminal::connect(&gateway, &namespace.name, "prompt").await?;
        terminal.read_until("$ ").await?;
        let said = terminal.run("echo $MODE:$SESSION_ID:$BRANCH:$TERM; stty size").await?;
        ensure!(said.contains("terminal:") && said.contains("30 100"), "{said}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_hundred_cuts_cost_no_byte_and_no_key() {
    with_namespace(|namespace| async move {
        namespace.ready_session("cuts", json!({})).await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut terminal = Terminal::connect(&gateway, &namespace.name, "cuts").await?;
        // Keys typed right before each cut reach the program once.
        terminal.type_line("stty -echo; PS1=; echo cat-'reads'; cat > /workspace/typed").await?;
        terminal.read_until("cat-reads").await?;
        for round in 0..100 {
            terminal.type_line(&format!("key-{round}")).await?;
            terminal.resume().await?;
        }
        terminal.type_bytes(b"\x04").await?;
        let said = terminal.run("cat /workspace/typed").await?;
        let expected: Vec<String> = (0..100).map(|round| format!("key-{round}")).collect();
        ensure!(said.split_whitespace().eq(expected.iter().map(String::as_str)), "{said}");
        // Output printed while the connection is cut arrives once.
        terminal.type_line("for i in $(seq 60000); do echo n=$i; done; echo all-'counted'").await?;
        let mut cuts = 0;
        while !terminal.text().contains("all-counted") {
            terminal.read_some().await?;
            terminal.resume().await?;
            cuts += 1;
        }
        let text = terminal.read_until("all-counted").await?;
        let numbers: Vec<u32> = text
            .lines()
            // The shell's mark of where output begins stands in front of the first one.
            .filter_map(|line| {
                line.trim_end().rsplit('\u{7}').next()?.strip_prefix("n=")?.parse().ok()
            })
            .collect();
        ensure!(numbers.iter().copied().eq(1..=60_000), "{} numbers", numbers.len());
        ensure!(terminal.gaps == 0 && cuts >= 5, "{} gaps after {cuts} cuts", terminal.gaps);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_end_is_told_after_the_last_byte_and_a_new_shell_can_be_had() {
    with_namespace(|namespace| async move {
        namespace.ready_session("end", json!({})).await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut terminal = Terminal::connect(&gateway, &namespace.name, "end").await?;
        terminal
            .type_line("stty -echo; for i in $(seq 2000); do echo line-$i; done; exit 7")
            .await?;
        let mut text = Vec::new();
        let code = loop {
            match next_frame(terminal.socket()?).await? {
                ServerFrame::Output { bytes, .. } | ServerFrame::Snapshot { bytes, .. } => {
                    text.extend_from_slice(&bytes);
                }
                ServerFrame::Exit { code, .. } => break code,
                _ => {}
            }
        };
        ensure!(code == 7 && String::from_utf8_lossy(&text).contains("line-2000"), "{code}");
        let request = OpenRequest::default();
        terminal.send(&ClientFrame::Open { key: 42, request }).await?;
        let opened = loop {
            if let ServerFrame::Terms(list) = next_frame(terminal.socket()?).await?
                && let Some(found) =
                    list.terms.into_iter().find(|term| term.key.is_some() && term.alive)
            {
                break found;
            }
        };
        ensure!(opened.alive);
        namespace.await_ready("end").await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn refusals_are_close_codes() {
    with_namespace(|namespace| async move {
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut socket = open(&gateway, &path(&namespace, "none"), Some(SUBPROTOCOL)).await?;
        ensure!(closed(&mut socket).await?.0 == close::NOT_FOUND);
        let stranger = Gateway::new(None)?;
        let mut socket = open(&stranger, &path(&namespace, "none"), Some(SUBPROTOCOL)).await?;
        ensure!(closed(&mut socket).await?.0 == close::UNAUTHENTICATED);
        namespace
            .session("asleep", json!({"operatingMode": "Suspended", "workspace": {"size": "64Mi"}}))
            .await?;
        let mut socket = open(&gateway, &path(&namespace, "asleep"), Some(SUBPROTOCOL)).await?;
        let (code, reason) = closed(&mut socket).await?;
        ensure!(code == close::NOT_READY || code == close::GONE, "{code} {reason}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_origin_gets_no_socket() {
    with_namespace(|namespace| async move {
        namespace.ready_session("origin", json!({})).await?;
        let token = editor(&namespace).await?;
        let stranger = Gateway::new(None)?;
        let login = stranger
            .request(reqwest::Method::POST, "/api/v1/login")
            .header("content-type", "application/json")
            .header("origin", &stranger.url)
            .body(json!({"token": token}).to_string())
            .send()
            .await?;
        let cookie = login.headers()["set-cookie"]
            .to_str()?
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        let path = path(&namespace, "origin");
        for headers in [
            vec![("cookie", cookie.as_str())],
            vec![("cookie", cookie.as_str()), ("origin", "https://evil.test")],
        ] {
            let mut socket = open_with(&stranger, &path, Some(SUBPROTOCOL), &headers).await?;
            ensure!(closed(&mut socket).await?.0 == close::FORBIDDEN, "{headers:?}");
        }
        let mut socket = open_with(
            &stranger,
            &path,
            Some(SUBPROTOCOL),
            &[("cookie", &cookie), ("origin", &stranger.url)],
        )
        .await?;
        let hello =
            fabrica_protocol::kterm::Hello { client_id: "page".to_owned(), ..Default::default() };
        socket.send(Message::Binary(ClientFrame::Hello(hello).encode())).await?;
        ensure!(matches!(next_frame(&mut socket).await?, ServerFrame::Welcome(_)));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn broken_clients_are_told_and_others_are_not_disturbed() {
    with_namespace(|namespace| async move {
        namespace.ready_session("broken", json!({})).await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut good = Terminal::connect(&gateway, &namespace.name, "broken").await?;
        let connect = || Terminal::connect(&gateway, &namespace.name, "broken");
        let cases: [(&str, Message, u16); 4] = [
            ("text", Message::text("hello"), close::TEXT),
            ("unknown type", Message::binary(vec![0x7f, 0, 0, 0]), close::PROTOCOL),
            ("short", Message::binary(vec![1]), close::PROTOCOL),
            ("oversized", Message::binary(vec![1; MAX_FRAME + 1]), close::TOO_BIG),
        ];
        for (what, message, expected) in cases {
            let (code, reason) = connect().await?.closed_after(message).await?;
            ensure!(code == expected, "{what}: {code} {reason}");
        }
        let mut socket = open(&gateway, &path(&namespace, "broken"), Some(SUBPROTOCOL)).await?;
        socket.send(Message::binary(&b"\x0c\0\0\0{\"client\":"[..])).await?;
        let (code, reason) = closed(&mut socket).await?;
        ensure!(code == close::PROTOCOL && reason.contains("HELLO"), "{code} {reason}");
        let mut silent = open(&gateway, &path(&namespace, "broken"), Some(SUBPROTOCOL)).await?;
        ensure!(closed(&mut silent).await?.0 == close::TIMEOUT);
        let mut lost = connect().await?;
        let bytes = Bytes::from_static(b"x");
        lost.send(&ClientFrame::Input { terminal: 9, auto: false, offset: 0, bytes }).await?;
        let code = loop {
            if let ServerFrame::Error { code, .. } = next_frame(lost.socket()?).await? {
                break code;
            }
        };
        ensure!(code == ErrorCode::NoSuchTerminal);
        ensure!(good.run("echo still-fine").await?.contains("still-fine"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_client_that_never_reads_disturbs_nobody() {
    with_namespace(|namespace| async move {
        namespace.ready_session("slow", json!({})).await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut good = Terminal::connect(&gateway, &namespace.name, "slow").await?;
        let _never_reads = Terminal::connect(&gateway, &namespace.name, "slow").await?;
        let said = good
            .run("head -c 5000000 /dev/zero | tr '\\0' x | fold -w 99 | tail -n 1; echo passed")
            .await?;
        ensure!(said.contains("passed"), "{} bytes", said.len());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_viewer_gets_no_terminal_and_a_watcher_may_not_type() -> Result<()> {
    with_namespace(|namespace| async move {
        namespace.ready_session("watch", json!({})).await?;
        let viewer = Gateway::new(Some(&namespace.user("viewer", "view").await?))?;
        let mut socket = open(&viewer, &path(&namespace, "watch"), Some(SUBPROTOCOL)).await?;
        ensure!(closed(&mut socket).await?.0 == close::FORBIDDEN);
        namespace
            .create::<k8s_openapi::api::rbac::v1::Role>(json!({"metadata": {"name": "watcher"}, "rules": [
                {"apiGroups": ["fabrica.dev"], "resources": ["sessions", "sessions/terminal"], "verbs": ["get"]}]}))
            .await?;
        namespace
            .create::<k8s_openapi::api::core::v1::ServiceAccount>(json!({"metadata": {"name": "watcher"}}))
            .await?;
        namespace
            .create::<RoleBinding>(json!({"metadata": {"name": "watcher"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "watcher"},
                "subjects": [{"kind": "ServiceAccount", "name": "watcher", "namespace": namespace.name}]}))
            .await?;
        let watcher = Gateway::new(Some(&namespace.cluster.token(&namespace.name, "watcher").await?))?;
        let mut terminal = Terminal::connect(&watcher, &namespace.name, "watch").await?;
        ensure!(terminal.welcome.as_ref().is_some_and(|welcome| welcome.role == "view"));
        let error = terminal.run("echo typed").await.expect_err("a watcher typed").to_string();
        ensure!(error.contains("watch") || error.contains("view"), "{error}");
        Ok(())
    })
    .await;
    Ok(())
}
