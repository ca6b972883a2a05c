//! Terminals of real Sessions over a network that fails, and rights that end while they are used.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fabrica_e2e::cluster::with_namespace;
use fabrica_e2e::page::{PRINTER, Page};
use fabrica_e2e::person::{Person, plugin};
use fabrica_e2e::terminal::{Terminal, closed, next_frame, open};
use fabrica_e2e::{Gateway, Namespace};
use fabrica_protocol::kterm::{ClientFrame, Hello, SUBPROTOCOL, ServerFrame, close};
use fabrica_test_network::{Network, Weather};
use futures::SinkExt;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::DeleteParams;
use serde_json::json;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::lifecycle::editor;

/// As many as a Session may have.
const TERMINALS: usize = 16;
/// A right that ends is gone from live sockets by then.
const REVOKED: Duration = Duration::from_mins(1);
/// The same page twice; the older one ends.
const SUPERSEDED: u16 = 4409;

/// A bad network before the gateway.
pub(crate) async fn network() -> Result<(Network, String)> {
    let url = Gateway::new(None)?.url;
    let (_, host) = url.split_once("://").context("an address")?;
    let address = tokio::net::lookup_host(host).await?.find(std::net::SocketAddr::is_ipv4);
    let network = Network::before(address.context("an address of the gateway")?).await;
    let url = format!("http://{}", network.address());
    Ok((network, url))
}

#[tokio::test]
async fn bad_weather_costs_time_and_no_byte() {
    with_namespace(|namespace| async move {
        namespace.ready_session("weather", json!({})).await?;
        let (network, url) = network().await?;
        network.set_weather(Weather { delay: Duration::from_millis(150), loss: 0.3 });
        let gateway = Gateway::at(&url, Some(&editor(&namespace).await?));
        let mut terminal = Terminal::connect(&gateway, &namespace.name, "weather").await?;
        terminal.type_line("stty -echo; PS1=; echo cat-'reads'; cat > /workspace/typed").await?;
        terminal.read_until("cat-reads").await?;
        for round in 0..20 {
            terminal.type_line(&format!("key-{round}")).await?;
            match round % 5 {
                1 => network.reset(),
                3 => network.strand(),
                _ => continue,
            }
            terminal.resume().await?;
            network.deliver();
        }
        terminal.type_bytes(b"\x04").await?;
        let said = terminal.run("cat /workspace/typed").await?;
        let expected: Vec<String> = (0..20).map(|round| format!("key-{round}")).collect();
        ensure!(said.split_whitespace().eq(expected.iter().map(String::as_str)), "{said}");
        let said = terminal.run("seq 20000").await?;
        let numbers: Vec<u32> = said.lines().filter_map(|line| line.parse().ok()).collect();
        ensure!(numbers.iter().copied().eq(1..=20_000), "{} numbers", numbers.len());
        ensure!(terminal.gaps == 0);
        Ok(())
    })
    .await;
}

/// Sixteen people at sixteen terminals, with the real command and the real gateway, whose network breaks again and again.
#[tokio::test(flavor = "multi_thread")]
async fn sixteen_people_come_back_over_every_cut() {
    with_namespace(|namespace| async move {
        namespace.ready_session("crowd", json!({})).await?;
        let token = editor(&namespace).await?;
        let (network, url) = network().await?;
        let gateway = Gateway::new(Some(&token))?;
        drop(Page::open(&gateway, &namespace.name, "crowd", TERMINALS).await?);
        let mut people = Vec::new();
        for terminal in 1..=TERMINALS {
            let terminal = terminal.to_string();
            let arguments = ["--url", &url, "attach", "crowd", "--terminal", &terminal];
            let mut person = Person::at(&plugin(&namespace, &token, &arguments))?;
            person.types(&format!("{PRINTER}\r"))?;
            person.sees("begin\r\n").await?;
            people.push(person);
        }
        for round in 1..=10 {
            // All have come back, and something was printed since.
            for person in &mut people {
                person.sees(&format!("n={}", round * 10)).await?;
            }
            if round % 2 == 0 { network.reset() } else { network.close() }
        }
        for (number, person) in people.iter_mut().enumerate() {
            person.check_numbers().await.with_context(|| format!("person {number}"))?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_right_that_ends_is_gone_within_a_minute() {
    with_namespace(|namespace| async move {
        namespace.ready_session("revoked", json!({})).await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut terminal = Terminal::connect(&gateway, &namespace.name, "revoked").await?;
        terminal.run("true").await?;
        // The decision is as fresh as can be when the right ends.
        let _again = Terminal::connect(&gateway, &namespace.name, "revoked").await?;
        namespace.api::<RoleBinding>().delete("editor", &DeleteParams::default()).await?;
        let revoked = Instant::now();
        let (code, reason) = closed(terminal.socket()?).await?;
        ensure!(code == close::FORBIDDEN, "{code} {reason}");
        ensure!(revoked.elapsed() <= REVOKED, "after {:?}", revoked.elapsed());
        Ok(())
    })
    .await;
}

/// A duplicated browser tab keeps its sessionStorage, so it may come with the same name.
#[tokio::test]
async fn of_a_page_that_is_there_twice_the_older_one_ends() {
    with_namespace(|namespace| async move {
        namespace.ready_session("twice", json!({})).await?;
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut older = greet(&gateway, &namespace, "the-same-page").await?;
        let mut other = greet(&gateway, &namespace, "another-page").await?;
        let mut newer = greet(&gateway, &namespace, "the-same-page").await?;
        let (code, reason) = closed(&mut older).await?;
        ensure!(code == SUPERSEDED, "{code} {reason}");
        for socket in [&mut other, &mut newer] {
            let ping = ClientFrame::Ping { visible: true, client_us: 7 };
            socket.send(Message::Binary(ping.encode())).await?;
            while !matches!(next_frame(socket).await?, ServerFrame::Pong { client_us: 7, .. }) {}
        }
        Ok(())
    })
    .await;
}

async fn greet(
    gateway: &Gateway,
    namespace: &Namespace,
    page: &str,
) -> Result<fabrica_e2e::terminal::Socket> {
    let path = format!("/api/v1/namespaces/{}/sessions/twice/terminal", namespace.name);
    let mut socket = open(gateway, &path, Some(SUBPROTOCOL)).await?;
    let hello = Hello { client_id: page.to_owned(), visible: true, ..Hello::default() };
    socket.send(Message::Binary(ClientFrame::Hello(hello).encode())).await?;
    ensure!(matches!(next_frame(&mut socket).await?, ServerFrame::Welcome(_)));
    Ok(socket)
}

#[tokio::test]
async fn malformed_ids_are_refused_with_their_reason() {
    with_namespace(|namespace| async move {
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        for path in [
            format!("/api/v1/namespaces/{}/sessions/Not.A.Name/terminal", namespace.name),
            "/api/v1/namespaces/No_Namespace/sessions/box/terminal".to_owned(),
        ] {
            let mut socket = open(&gateway, &path, Some(SUBPROTOCOL)).await?;
            let (code, reason) = closed(&mut socket).await?;
            ensure!(code == close::PROTOCOL && !reason.is_empty(), "{path}: {code} {reason}");
        }
        Ok(())
    })
    .await;
}
