//! One direction of one connection: bytes in order, each when it is due.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::{Fate, Rules, Weather};

/// Bytes that share one fate: as much as a sender with a full window puts on the wire at once.
const SEGMENT: usize = 16 * 1024;

/// Segments on their way. A sender with more has to wait, as it would for a window.
const ON_THE_WAY: usize = 64;

/// When TCP sends again what was lost, the first time; then after twice as long, and so on.
const AGAIN: Duration = Duration::from_millis(200);
/// However unlucky, a segment arrives with this attempt.
const ATTEMPTS: u32 = 3;

enum Piece {
    Bytes(Vec<u8>),
    End,
    Broken(io::Error),
}

/// Carries what one end says to the other, its end and its break too. `seed` makes chance the same in each run.
pub(super) async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    seed: u64,
    rules: &Rules,
) -> io::Result<()> {
    let (departing, mut arriving) = mpsc::channel(ON_THE_WAY);
    let reading = async move {
        let (weather, mut dice) = (rules.weather.subscribe(), Dice(seed));
        let mut due = Instant::now();
        loop {
            let mut bytes = Vec::with_capacity(SEGMENT);
            let piece = match from.read_buf(&mut bytes).await {
                Ok(0) => Piece::End,
                Ok(_) => Piece::Bytes(bytes),
                Err(error) => Piece::Broken(error),
            };
            let last = !matches!(piece, Piece::Bytes(_));
            // Nothing overtakes what was sent before it.
            due = due.max(Instant::now() + travel(*weather.borrow(), &mut dice));
            if departing.send((due, piece)).await.is_err() || last {
                return Ok(());
            }
        }
    };
    let writing = async {
        let mut orders = rules.orders.subscribe();
        while let Some((due, piece)) = arriving.recv().await {
            sleep_until(due).await;
            let stranded = |fate| fate == Fate::Stranded;
            let _ = orders.wait_for(|order| !stranded(order.fate(seed / 2))).await;
            match piece {
                Piece::Bytes(bytes) => to.write_all(&bytes).await?,
                Piece::End => to.shutdown().await?,
                Piece::Broken(error) => return Err(error),
            }
        }
        Ok(())
    };
    tokio::try_join!(reading, writing).map(|((), ())| ())
}

/// How long a segment takes.
fn travel(weather: Weather, dice: &mut Dice) -> Duration {
    let lost = (0..ATTEMPTS).take_while(|_| dice.throw() < weather.loss).count();
    (0..lost).fold(weather.delay, |time, attempt| time + AGAIN * (1 << attempt))
}

/// Chance that comes again: a linear congruential generator.
struct Dice(u64);

impl Dice {
    /// From 0 to 1.
    fn throw(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
    }
}
