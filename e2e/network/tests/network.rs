//! The network itself: what it delays, loses, strands and breaks, and that it changes no byte.
#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use fabrica_test_network::{Network, Weather};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The longest anything is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough to be sure that nothing comes.
const SILENCE: Duration = Duration::from_millis(200);

/// Both ends of a connection through a network.
async fn pair() -> (Network, TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let network = Network::before(listener.local_addr().unwrap()).await;
    let client = TcpStream::connect(network.address()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (network, listener, client, server)
}

/// What comes until the end.
async fn rest(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reading = stream.read_to_end(&mut bytes);
    tokio::time::timeout(PATIENCE, reading).await.unwrap()?;
    Ok(bytes)
}

#[tokio::test]
async fn bad_weather_changes_no_byte_and_takes_its_time() {
    let (network, _listener, mut client, mut server) = pair().await;
    let delay = Duration::from_millis(50);
    network.set_weather(Weather { delay, loss: 0.3 });
    let source: Vec<u8> = (0..400_000_u32).map(|number| (number % 251) as u8).collect();
    let started = Instant::now();
    let sent = source.clone();
    let sending = tokio::spawn(async move {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
        // The half that is not closed still hears.
        rest(&mut client).await.unwrap()
    });
    assert!(rest(&mut server).await.unwrap() == source, "every byte, in order");
    assert!(started.elapsed() >= delay);
    server.write_all(b"heard").await.unwrap();
    drop(server);
    assert_eq!(sending.await.unwrap(), b"heard");
    assert!(started.elapsed() >= 2 * delay);
}

#[tokio::test]
async fn ends_are_passed_on_as_what_they_are() {
    let (network, listener, mut client, mut server) = pair().await;
    network.close();
    assert_eq!(rest(&mut client).await.unwrap(), b"");
    assert_eq!(rest(&mut server).await.unwrap(), b"");
    let mut client = TcpStream::connect(network.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    network.reset();
    for stream in [&mut client, &mut server] {
        assert_eq!(rest(stream).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    let client = TcpStream::connect(network.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(rest(&mut server).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn what_is_stranded_comes_late_and_newcomers_do_not_wait() {
    let (network, listener, mut old, mut server) = pair().await;
    network.strand();
    old.write_all(b"late").await.unwrap();
    drop(old);
    let mut new = TcpStream::connect(network.address()).await.unwrap();
    new.write_all(b"early").await.unwrap();
    drop(new);
    let (mut newcomer, _) = listener.accept().await.unwrap();
    assert_eq!(rest(&mut newcomer).await.unwrap(), b"early");
    let mut byte = [0];
    assert!(tokio::time::timeout(SILENCE, server.read(&mut byte)).await.is_err());
    network.deliver();
    assert_eq!(rest(&mut server).await.unwrap(), b"late");
}

#[tokio::test]
async fn a_network_that_is_away_refuses() {
    let (network, _listener, mut client, _server) = pair().await;
    network.set_open(false);
    assert_eq!(rest(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let mut refused = TcpStream::connect(network.address()).await.unwrap();
    assert_eq!(rest(&mut refused).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    network.set_open(true);
    assert!(TcpStream::connect(network.address()).await.is_ok());
}
