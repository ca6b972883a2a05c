//! Many clients lose their gateway in the same moment: after the first retry, which is at once, they come back spread out,
//! whatever they meet.

use rstest::rstest;

use super::*;

const CLIENTS: usize = 500;
/// How many of them may try within `WINDOW`, once the first wave is over.
const WAVE: usize = CLIENTS / 5;
const WINDOW: Duration = Duration::from_millis(100);
/// The first retries are spread over this long.
const FIRST_WAVE: Duration = WINDOW;
/// The longest any gateway here is away, and then time to find it.
const END: Duration = Duration::from_mins(6);

/// What a client meets.
enum Met {
    Welcome,
    /// Nobody listens.
    Refusal,
    /// Nobody answers.
    Silence,
    /// A close frame.
    Close(u16, &'static str),
}

/// A gateway that is away in some manner, for so many seconds after the cut.
fn away(seconds: u64, manner: fn() -> Met) -> impl Fn(Duration) -> Met {
    move |at| if at < Duration::from_secs(seconds) { manner() } else { Met::Welcome }
}

#[rstest]
#[case::gone(0, || Met::Refusal)]
#[case::gone_for_a_moment(1, || Met::Refusal)]
#[case::rolled(8, || Met::Refusal)]
#[case::away_for_a_minute(60, || Met::Refusal)]
#[case::away_for_long(300, || Met::Refusal)]
#[case::silent(5, || Met::Silence)]
#[case::silent_for_long(90, || Met::Silence)]
#[case::not_ready(10, || Met::Close(4503, "ra=1000 the session is starting"))]
#[case::crowded(20, || Met::Close(4429, "too many connections; ra=5000"))]
#[case::without_pod(20, || Met::Close(4504, "the pod cannot be reached"))]
#[case::closing(5, || Met::Close(1001, ""))]
fn there_is_no_second_wave(#[case] seconds: u64, #[case] manner: fn() -> Met) {
    let gateway = away(seconds, manner);
    let mut attempts: Vec<Duration> =
        (0..CLIENTS as u64).flat_map(|client| comes_back(client, &gateway)).collect();
    attempts.sort_unstable();
    let later = &attempts[attempts.partition_point(|at| *at < FIRST_WAVE)..];
    let crowd = |start: usize| later[start..].partition_point(|at| *at < later[start] + WINDOW);
    let (most, at) =
        (0..later.len()).map(|start| (crowd(start), later[start])).max().unwrap_or_default();
    assert!(most <= WAVE, "{most} of {CLIENTS} tried within {WINDOW:?}, {at:?} after the cut");
}

/// When one client tries, counted from the cut, until it is welcome.
fn comes_back(client: u64, gateway: &impl Fn(Duration) -> Met) -> Vec<Duration> {
    // Neighbouring seeds would give neighbouring chances.
    let mut world = World::new((client + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29));
    for event in [Event::Start, Event::Opened, Event::Welcomed] {
        world.handle(event);
    }
    world.attempts.clear();
    world.happens(&Step::Close(CUT));
    while *world.link.state() != State::Live {
        assert!(world.now < END, "it never came back");
        let met = (*world.link.state() == State::Connecting).then(|| gateway(world.now));
        match met {
            Some(Met::Welcome) => {
                world.handle(Event::Opened);
                world.handle(Event::Welcomed);
            }
            Some(Met::Refusal) => world.closed(CUT, ""),
            Some(Met::Close(code, reason)) => {
                world.handle(Event::Opened);
                world.closed(code, reason);
            }
            Some(Met::Silence) | None => {
                let next = world.link.deadline().expect("a client that waits has a deadline");
                world.pass(next.saturating_sub(world.now));
            }
        }
    }
    world.attempts
}
