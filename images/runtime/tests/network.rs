//! Terminals over a network that fails: every byte arrives once, both ways, whatever becomes of the connections.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

#[path = "network/overrun.rs"]
mod overrun;
#[path = "network/page.rs"]
mod page;
mod support;

use std::fmt::Write;
use std::time::{Duration, Instant};

use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::{ClientFrame, ServerFrame};
use fabrica_test_network::namespace::{Place, losing};
use fabrica_test_network::{Network, Weather};
use page::{Chance, Page};
use support::{PATIENCE, Runtime, eventually, hello};
use tokio::io::AsyncWriteExt;

/// Connections broken under bytes. `FABRICA_RESETS` says otherwise, and then the time of a return is judged, too.
const RESETS: usize = 200;
/// What 99 of 100 returns over loopback may take, on a machine that has nothing else to do.
const RETURN: Duration = Duration::from_millis(20);

fn resets() -> usize {
    std::env::var("FABRICA_RESETS").map_or(RESETS, |text| text.parse().expect("a number"))
}

/// Judges what the returns took, where somebody asked for it.
fn judge(returns: &mut [Duration]) {
    returns.sort_unstable();
    let p99 = returns[returns.len() * 99 / 100];
    eprintln!("{} returns, p50 {:?}, p99 {p99:?}", returns.len(), returns[returns.len() / 2]);
    assert!(std::env::var_os("FABRICA_RESETS").is_none() || p99 <= RETURN, "p99 {p99:?}");
}

/// Numbered lines, from one number to another.
fn lines(from: u64, to: u64) -> String {
    (from..to).fold(String::new(), |mut text, number| {
        writeln!(text, "line {number}").unwrap();
        text
    })
}

async fn before(runtime: &Runtime) -> Network {
    Network::before(runtime.address).await
}

/// A paste that is written to a file and shown again: resets at any moment, and both copies are exact.
#[tokio::test]
async fn resets_during_a_paste_cost_no_byte_and_double_none() {
    let runtime = Runtime::start(&[]).await;
    let network = before(&runtime).await;
    let mut page = Page::open(&network).await;
    let shown =
        page.starts("stty -echo -opost; echo tee-'reads'; tee typed\n", "tee-reads\n").await;
    let (mut chance, mut number) = (Chance::default(), 0);
    for _ in 0..resets() {
        let more = number + chance.below(300);
        page.types(&lines(number, more));
        number = more;
        let moment = Duration::from_micros(chance.below(6_000));
        let _ = tokio::time::timeout(moment, page.live()).await;
        network.reset();
        page.returns_once().await;
    }
    page.types("\u{4}");
    let source = lines(0, number);
    page.reads_until(|all| all.len() >= shown + source.len()).await;
    // Compared by hand: a megabyte helps nobody in a message.
    assert!(page.shown[shown..shown + source.len()] == *source.as_bytes(), "shown once, in order");
    let typed = std::fs::read(runtime.workspace().join("typed")).unwrap();
    assert!(
        typed == source.as_bytes(),
        "typed once, in order: {} of {}",
        typed.len(),
        source.len()
    );
    assert!(page.returns.len() >= resets(), "{} returns", page.returns.len());
    judge(&mut page.returns);
}

/// Prints numbered lines until there is a file. It pauses, so that what is printed while there is no connection stays within
/// the ring; how a pause ends decides nothing, for a line that comes as its time is over may be lost.
const PRINTER: &str = "stty -echo -opost; i=0; echo be''gin; until [ -e stop ]; do read -t 0.002 line; \
    for j in $(seq 50); do echo line $i; i=$((i+1)); done; done; echo total=$i=\n";

#[tokio::test]
async fn resets_during_output_cost_no_byte_and_double_none() {
    let runtime = Runtime::start(&[]).await;
    let network = before(&runtime).await;
    let mut page = Page::open(&network).await;
    let shown = page.starts(PRINTER, "begin\n").await;
    let mut chance = Chance::default();
    for _ in 0..resets() {
        let moment = Duration::from_micros(chance.below(10_000));
        let _ = tokio::time::timeout(moment, page.live()).await;
        network.reset();
        page.returns_once().await;
    }
    std::fs::write(runtime.workspace().join("stop"), "").unwrap();
    // A prompt follows: the end is near the end.
    let end = |all: &[u8]| String::from_utf8_lossy(&all[all.len() - 512..]).contains("=\n");
    page.reads_until(|all| all.len() > 512 && end(all)).await;
    let text = String::from_utf8_lossy(&page.shown[shown..]).into_owned();
    let (printed, total) = text.split_once("total=").unwrap();
    let total = total.split('=').next().unwrap().parse().unwrap();
    assert!(printed == lines(0, total), "{} bytes of {total} lines", printed.len());
    judge(&mut page.returns);
}

/// A connection's last bytes, and its end, arrive after the next connection has said the same.
#[tokio::test]
async fn what_an_older_connection_still_says_is_taken_once_and_its_end_ends_nothing() {
    let runtime = Runtime::start(&[]).await;
    let network = before(&runtime).await;
    let mut page = Page::open(&network).await;
    let shown =
        page.starts("stty -echo -opost; echo tee-'reads'; tee typed\n", "tee-reads\n").await;
    for number in 0..10 {
        network.strand();
        page.types(&lines(number, number + 1));
        page.sends().await.unwrap();
        let older = page.forget();
        page.reads_until(|all| all.len() >= shown + lines(0, number + 1).len()).await;
        drop(older);
        network.deliver();
        page.types("");
        page.live_until_quiet().await;
    }
    page.types("\u{4}");
    tokio::select! {
        () = page.live() => {}
        () = eventually("the paste has ended", async || !runtime.idle().await.busy) => {}
    }
    assert_eq!(std::fs::read_to_string(runtime.workspace().join("typed")).unwrap(), lines(0, 10));
    eventually("older connections are gone", async || runtime.idle().await.clients == 1).await;
}

/// 300 ms there and back: the bytes are exact, and all that was missed comes with the WELCOME, not a round trip later.
#[tokio::test]
async fn a_long_way_costs_one_round_trip() {
    const WAY: Duration = Duration::from_millis(150);
    let runtime = Runtime::start(&[]).await;
    let network = before(&runtime).await;
    network.set_weather(Weather { delay: WAY, loss: 0.0 });
    let mut page = Page::open(&network).await;
    let shown =
        page.starts("stty -echo -opost; echo tee-'reads'; tee typed\n", "tee-reads\n").await;
    let source = lines(0, 10_000);
    page.types(&source);
    page.reads_until(|all| all.len() >= shown + source.len()).await;
    assert!(page.shown[shown..] == *source.as_bytes());
    let mut other = Page::open_near(&runtime).await;
    page.returns.clear();
    // A busy machine takes its time, but not each time; another round trip would be there each time.
    for turn in 0..10 {
        network.set_open(false);
        let missed = format!("missed {turn}\n");
        other.types(&missed);
        other.reads_until(|all| all.ends_with(missed.as_bytes())).await;
        network.set_open(true);
        page.reads_until(|all| all.ends_with(missed.as_bytes())).await;
        // The proxy accepts at once: there is one round trip for the upgrade, and one for HELLO and all that follows.
        let took = page.returns[turn];
        assert!(took >= 4 * WAY, "{took:?}");
        if took < 5 * WAY {
            return;
        }
    }
    panic!("{:?}", page.returns);
}

/// Real losses where the kernel drops packets for a test, else their model.
#[tokio::test(flavor = "multi_thread")]
async fn losses_of_thirty_percent_cost_time_alone() {
    let name = "losses_of_thirty_percent_cost_time_alone";
    let place = tokio::task::block_in_place(|| losing(name, 30));
    if place == Place::Done {
        return;
    }
    let runtime = Runtime::start(&[]).await;
    let network = before(&runtime).await;
    if place == Place::Nowhere {
        network.set_weather(Weather { delay: Duration::ZERO, loss: 0.3 });
    }
    let mut page = Page::open(&network).await;
    let shown =
        page.starts("stty -echo -opost; echo tee-'reads'; tee typed\n", "tee-reads\n").await;
    for number in 0..20 {
        page.types(&lines(number * 100, (number + 1) * 100));
        if number % 5 == 0 {
            network.reset();
        }
    }
    let source = lines(0, 2_000);
    page.reads_until(|all| all.len() >= shown + source.len()).await;
    assert!(page.shown[shown..] == *source.as_bytes(), "every byte, in order");
    page.types("\u{4}");
    tokio::select! {
        () = page.live() => {}
        () = eventually("the paste has ended", async || !runtime.idle().await.busy) => {}
    }
    assert!(std::fs::read_to_string(runtime.workspace().join("typed")).unwrap() == source);
}

/// Who vanishes without a word holds a program back no longer than silence is allowed to last.
#[tokio::test]
async fn who_vanished_is_forgotten_and_programs_go_on() {
    let runtime = Runtime::start(&[("FABRICA_SILENCE_MILLISECONDS", "1500")]).await;
    let network = before(&runtime).await;
    let mut page = Page::open(&network).await;
    page.starts(
        "echo be''gin; head -c 3000000 /dev/zero > ze''ros; cat zeros; touch passed\n",
        "begin",
    )
    .await;
    network.strand();
    let older = page.forget();
    eventually("the program has gone on", async || runtime.workspace().join("passed").exists())
        .await;
    eventually("the client is forgotten", async || runtime.idle().await.clients == 0).await;
    drop(older);
}

/// A greeting that was on its way for too long arrives after that of the connection which took its place, and of which it
/// knows nothing: the page goes on with the newer one.
#[tokio::test]
async fn a_greeting_that_comes_late_ends_no_newer_connection() {
    let runtime = Runtime::start(&[]).await;
    let network = before(&runtime).await;
    let mut older = page::connect(network.address()).await.unwrap();
    network.strand();
    older.send(&ClientFrame::Hello(hello("page", None, None))).await;
    let mut newer = page::connect(network.address()).await.unwrap();
    newer.send(&ClientFrame::Hello(hello("page", None, None))).await;
    assert!(matches!(newer.next().await, ServerFrame::Welcome(_)));
    network.deliver();
    // It is welcome, or told that it is late; what matters is that it was heard.
    let _ = older.try_next().await;
    newer.send(&ClientFrame::Ping { visible: true, client_us: 5 }).await;
    newer
        .until(|frame| matches!(frame, ServerFrame::Pong { client_us: 5, .. }).then_some(()))
        .await;
}

/// As many clients as a Session may have.
const CLIENTS: u32 = 16;

async fn full_house() -> (Runtime, Network, Vec<Page>) {
    let runtime = Runtime::start(&[]).await;
    let network = before(&runtime).await;
    let mut pages = Vec::new();
    for _ in 0..CLIENTS {
        pages.push(Page::open(&network).await);
    }
    (runtime, network, pages)
}

/// Sixteen clients that are cut at once find their places free again when they come back.
#[tokio::test]
async fn a_full_house_comes_back_at_once() {
    let (runtime, network, mut pages) = full_house().await;
    for _ in 0..20 {
        network.reset();
        // Sooner than anybody comes back who waits as little as clients do at first.
        eventually("their places are free", async || runtime.idle().await.clients == 0).await;
        futures::future::join_all(pages.iter_mut().map(Page::returns_once)).await;
    }
    assert_eq!(runtime.idle().await.clients, CLIENTS);
}

/// Sixteen clients whose old connections are dead without knowing it take their places over.
#[tokio::test]
async fn a_full_house_whose_sockets_are_dead_comes_back() {
    let (_runtime, network, mut pages) = full_house().await;
    network.strand();
    for page in &mut pages {
        drop(page.forget());
        page.returns_once().await;
    }
    let mut stranger = page::connect(network.address()).await.unwrap();
    stranger.send(&ClientFrame::Hello(hello("stranger", None, None))).await;
    assert_eq!(stranger.closed().await.0, 4429);
}

/// A client that says it has nothing more to say has left.
#[tokio::test]
async fn half_a_connection_is_none() {
    let runtime = Runtime::start(&[]).await;
    let network = before(&runtime).await;
    let mut page = Page::open(&network).await;
    let mut client = page.forget().unwrap();
    assert_eq!(runtime.idle().await.clients, 1);
    client.socket.get_mut().shutdown().await.unwrap();
    let ended = async { while client.try_next().await.is_ok() {} };
    tokio::time::timeout(PATIENCE, ended).await.expect("the other half is closed");
    eventually("nobody is there", async || runtime.idle().await.clients == 0).await;
    drop(runtime.attach(Role::Control).await);
}

/// 20,000 bytes and the end, 200 times: all are complete, and each code comes after the last byte, also over a cut.
#[tokio::test]
async fn short_programs_lose_nothing() {
    const PROGRAMS: usize = 200;
    let runtime = Runtime::start(&[]).await;
    let network = before(&runtime).await;
    let started = Instant::now();
    for program in 0..PROGRAMS {
        let mut page = Page::open_new(&runtime, &network).await;
        page.types("exec sh -c 'head -c 20000 /dev/zero | tr \"\\0\" x; exit 3'\n");
        if program % 4 == 0 {
            page.sends().await.unwrap();
            network.reset();
        }
        assert_eq!(page.reads_to_its_end().await, 3, "program {program}");
        let longest = page.shown.split(|byte| *byte != b'x').map(<[u8]>::len).max();
        assert_eq!(longest, Some(20_000), "program {program}");
    }
    eprintln!("{PROGRAMS} programs in {:?}", started.elapsed());
}
