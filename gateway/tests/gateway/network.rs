//! Tunnels over a network that fails: nothing is lost that could arrive, and nothing stays of what is gone.

use std::time::Duration;

use fabrica_test_network::{Network, Weather};
use futures::SinkExt;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

use crate::common::pod::Pod;
use crate::common::{World, running, until};
use crate::sockets::{Socket, expect_bytes, next, open_at};

/// As many as one user may have.
const SOCKETS: usize = 64;

/// A gateway with one Session, and a bad network before it.
async fn world() -> (World, Network) {
    let world = World::start(&[]).await;
    world.grant_all();
    let (_, ip) = Pod::start("uid-a").await;
    world.put("a", json!({}), running(ip)).await;
    let network = Network::before(world.address).await;
    (world, network)
}

async fn open(network: &Network) -> Socket {
    let authorization = ("authorization", "Bearer dana-token".to_owned());
    let mut socket = open_at(network.address(), "a", &[authorization]).await;
    expect_bytes(&mut socket, b"welcome").await;
    socket
}

async fn tunnels(world: &World) -> Option<u64> {
    let metrics = format!("http://{}/metrics", world.admin);
    let text = world.client.get(&metrics).send().await.unwrap().text().await.unwrap();
    let name = "fabrica_gateway_connections{kind=\"terminal\"} ";
    text.lines().find_map(|line| line.strip_prefix(name)?.parse().ok())
}

#[tokio::test]
async fn a_crowd_that_is_cut_leaves_nothing_behind_and_may_come_back_at_once() {
    let (world, network) = world().await;
    for cut in [Network::reset, Network::close] {
        let mut sockets = Vec::new();
        for _ in 0..SOCKETS {
            sockets.push(open(&network).await);
        }
        assert_eq!(tunnels(&world).await, Some(SOCKETS as u64));
        cut(&network);
        for socket in &mut sockets {
            assert!(!matches!(next(socket).await, Some(Message::Binary(_))));
        }
        until(async || tunnels(&world).await == Some(0)).await;
    }
    open(&network).await;
}

#[tokio::test]
async fn bad_weather_costs_time_and_no_byte() {
    let (_world, network) = world().await;
    network.set_weather(Weather { delay: Duration::from_millis(150), loss: 0.3 });
    let mut socket = open(&network).await;
    let large: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    socket.send(Message::binary(large.clone())).await.unwrap();
    let echo = next(&mut socket).await.unwrap().into_data();
    assert!(echo == large, "{} bytes of {}", echo.len(), large.len());
}

/// Late words of an older connection, and its late end, are the older one's alone.
#[tokio::test]
async fn ends_that_come_in_another_order_end_what_they_belong_to() {
    let (world, network) = world().await;
    let older = open(&network).await;
    network.strand();
    drop(older);
    let mut newer = open(&network).await;
    assert_eq!(tunnels(&world).await, Some(2), "nobody has told the gateway");
    network.deliver();
    until(async || tunnels(&world).await == Some(1)).await;
    newer.send(Message::binary("still here")).await.unwrap();
    expect_bytes(&mut newer, b"still here").await;
}

#[tokio::test]
async fn half_a_connection_is_closed() {
    let (world, network) = world().await;
    let mut socket = open(&network).await;
    socket.get_mut().shutdown().await.unwrap();
    assert!(!matches!(next(&mut socket).await, Some(Message::Binary(_))));
    until(async || tunnels(&world).await == Some(0)).await;
}
