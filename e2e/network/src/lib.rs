//! A network that fails on demand: it stands between a client and a server on this machine, carries bytes, and is slow,
//! lossy, silent or gone when a test says so.
//!
//! Loss is a model, for a proxy sees no packets: bytes that were "lost" come late, as TCP sends them again, and all behind
//! them wait. Where the kernel lets a test drop real packets, [`namespace`] does that instead.
#![expect(clippy::expect_used, reason = "a test harness fails by panicking")]

mod carry;
pub mod namespace;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::carry::carry;

/// An address for a server that takes it later. A free port of 127.0.0.1 may be another's by then, so the host is one that
/// nobody else has.
#[must_use]
pub fn own_address() -> SocketAddr {
    static GIVEN: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, high | 1, low, GIVEN.fetch_add(1, Ordering::Relaxed));
    let listener = std::net::TcpListener::bind((host, 0)).expect("a loopback address");
    listener.local_addr().expect("a bound port")
}

/// What bytes meet on their way. The default is a network that is well.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Weather {
    /// How long they take, one way.
    pub delay: Duration,
    /// The share of segments that are lost and sent again, 0 to 1.
    pub loss: f64,
}

/// What becomes of connections that stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Carried,
    /// Nothing arrives any more, and neither end is told.
    Stranded,
    Reset,
    Closed,
}

/// An order to all connections up to this number; later ones are not meant.
#[derive(Debug, Clone, Copy)]
struct Order {
    up_to: u64,
    fate: Fate,
}

impl Order {
    fn fate(self, number: u64) -> Fate {
        if number <= self.up_to { self.fate } else { Fate::Carried }
    }
}

/// What all connections obey.
#[derive(Debug, Clone)]
struct Rules {
    weather: watch::Sender<Weather>,
    orders: watch::Sender<Order>,
    /// The number of the newest connection.
    newest: watch::Sender<u64>,
    open: watch::Sender<bool>,
}

/// The network. It ends when dropped, and its connections with it.
#[derive(Debug)]
pub struct Network {
    address: SocketAddr,
    rules: Rules,
    accepting: AbortHandle,
}

impl Drop for Network {
    fn drop(&mut self) {
        self.accepting.abort();
        self.reset();
    }
}

impl Network {
    /// A network that is well, on the way to a server.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let rules = Rules {
            weather: watch::Sender::new(Weather::default()),
            orders: watch::Sender::new(Order { up_to: 0, fate: Fate::Carried }),
            newest: watch::Sender::new(0),
            open: watch::Sender::new(true),
        };
        let accepting = tokio::spawn(accept(listener, server, rules.clone())).abort_handle();
        Self { address, rules, accepting }
    }

    /// Where clients connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather, for bytes that set out from now on.
    pub fn set_weather(&self, weather: Weather) {
        self.rules.weather.send_replace(weather);
    }

    /// Breaks every connection: both ends get a reset.
    pub fn reset(&self) {
        self.order(Fate::Reset);
    }

    /// Ends every connection as if the other side had closed it.
    pub fn close(&self) {
        self.order(Fate::Closed);
    }

    /// Takes every connection away, and tells neither end: what either says, its end included, stays on its way. New ones
    /// are carried, as after a roaming phone's change of address.
    pub fn strand(&self) {
        self.order(Fate::Stranded);
    }

    /// Delivers what was stranded, in order: late bytes, late ends.
    pub fn deliver(&self) {
        self.order(Fate::Carried);
    }

    /// Takes the network away, or gives it back. While it is away, connections break and new ones are refused.
    pub fn set_open(&self, open: bool) {
        self.rules.open.send_replace(open);
        if !open {
            self.reset();
        }
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u64 {
        *self.rules.newest.borrow()
    }

    fn order(&self, fate: Fate) {
        self.rules.orders.send_replace(Order { up_to: self.connections(), fate });
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, rules: Rules) {
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        if *rules.open.borrow() {
            let number = *rules.newest.borrow() + 1;
            rules.newest.send_replace(number);
            tokio::spawn(serve(client, server, number, rules.clone()));
        } else {
            // A client that is already gone needs no reset.
            let _ = client.set_zero_linger();
        }
    }
}

async fn serve(mut client: TcpStream, server: SocketAddr, number: u64, rules: Rules) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        let _ = client.set_zero_linger();
        return;
    };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket option");
    }
    let mut orders = rules.orders.subscribe();
    let broken = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let both = async {
            tokio::try_join!(
                carry(from_client, to_server, number * 2, &rules),
                carry(from_server, to_client, number * 2 + 1, &rules),
            )
        };
        let ended = |order: &Order| matches!(order.fate(number), Fate::Reset | Fate::Closed);
        tokio::select! {
            carried = both => carried.is_err(),
            order = orders.wait_for(ended) => {
                order.is_ok_and(|order| order.fate(number) == Fate::Reset)
            }
        }
    };
    if broken {
        for stream in [&client, &server] {
            let _ = stream.set_zero_linger();
        }
    }
}
