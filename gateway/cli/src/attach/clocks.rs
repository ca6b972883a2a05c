//! Whether the machine slept.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// How often the clocks are compared: a machine that slept has a clock on the wall that is ahead of the other.
pub(super) const PERIOD: Duration = Duration::from_secs(2);
/// How far it must be ahead.
const SLEPT: Duration = Duration::from_secs(5);

/// The clock on the wall goes on while the machine sleeps, the other one does not.
pub(super) struct Clocks {
    ticks: Interval,
    wall: DateTime<Utc>,
    other: Instant,
}

impl Clocks {
    pub(super) fn new() -> Self {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, wall: Utc::now(), other: Instant::now() }
    }

    /// The next look at both, and whether the machine slept since the last one.
    pub(super) async fn tick(&mut self) -> bool {
        self.ticks.tick().await;
        let (wall, other) = (Utc::now(), Instant::now());
        let ahead = (wall - self.wall).to_std().unwrap_or_default();
        let slept = ahead > other.duration_since(self.other) + SLEPT;
        (self.wall, self.other) = (wall, other);
        slept
    }
}
