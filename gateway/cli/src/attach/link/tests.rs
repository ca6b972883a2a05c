mod storm;

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

/// The link's other side: knows whether there is a socket, and when each was asked for.
struct World {
    link: Link,
    now: Duration,
    socket: bool,
    attempts: Vec<Duration>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut state = seed;
        let random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            #[expect(clippy::cast_precision_loss, reason = "any number will do")]
            let number = (state >> 33) as f64 / f64::from(u32::MAX >> 1);
            number.min(1.0)
        };
        let link = Link::new(Box::new(random));
        Self { link, now: Duration::ZERO, socket: false, attempts: Vec::new() }
    }

    fn handle(&mut self, event: Event) {
        for effect in self.link.handle(event, self.now) {
            match effect {
                Effect::Connect { .. } => {
                    assert!(!self.socket, "a second socket");
                    self.socket = true;
                    self.attempts.push(self.now);
                }
                Effect::Drop => {
                    assert!(self.socket, "no socket to drop");
                    self.socket = false;
                }
                Effect::Greet(_) | Effect::Ping => assert!(self.socket, "nobody to speak to"),
            }
        }
    }

    fn happens(&mut self, step: &Step) {
        match step {
            Step::Open if self.socket => self.handle(Event::Opened),
            Step::Welcome if self.socket => self.handle(Event::Welcomed),
            Step::Hear if self.socket => self.handle(Event::Heard),
            Step::Close(code) if self.socket => self.closed(*code, "ra=0"),
            Step::Wake => self.handle(Event::Nudge),
            Step::Type => self.handle(Event::Typed),
            Step::Pass(time) => self.pass(*time),
            _ => {}
        }
    }

    fn closed(&mut self, code: u16, reason: &str) {
        self.socket = false;
        self.handle(Event::Closed { code, reason: reason.to_owned() });
    }

    /// Time passes, and each deadline is kept.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.link.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.handle(Event::Tick);
        }
        self.now = end;
    }
}

#[derive(Debug, Clone)]
enum Step {
    Open,
    Welcome,
    Hear,
    Close(u16),
    Wake,
    Type,
    Pass(Duration),
}

fn steps(codes: &'static [u16]) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Open),
        Just(Step::Welcome),
        Just(Step::Hear),
        prop::sample::select(codes).prop_map(Step::Close),
        Just(Step::Wake),
        Just(Step::Type),
        (0_u64..30_000).prop_map(|time| Step::Pass(Duration::from_millis(time))),
        (0_u64..300).prop_map(|time| Step::Pass(Duration::from_millis(time))),
    ];
    prop::collection::vec(step, 0..400)
}

const ANY: &[u16] =
    &[1000, 1001, 1006, 1011, 4400, 4401, 4403, 4404, 4408, 4410, 4429, 4500, 4503, 4504];
const RECOVERABLE: &[u16] = &[1001, 1006, 1011, 1012, 4408, 4429, 4500, 4503, 4504];

proptest! {
    /// Whatever happens, there is one socket at most, and attempts are bounded.
    #[test]
    fn one_socket_and_bounded_attempts(seed: u64, steps in steps(ANY)) {
        let mut world = World::new(seed);
        world.handle(Event::Start);
        for step in &steps {
            world.happens(step);
        }
        // The shortest pause is a quarter of a second; a first retry and a renewed token come sooner.
        for (index, at) in world.attempts.iter().enumerate() {
            let within = world.attempts[index..].iter().take_while(|other| **other < *at + MINUTE);
            prop_assert!(within.count() <= 260);
        }
    }

    /// Whatever happened, a server that is well is found again.
    #[test]
    fn it_converges(seed: u64, steps in steps(RECOVERABLE)) {
        let mut world = World::new(seed);
        world.handle(Event::Start);
        for step in &steps {
            world.happens(step);
        }
        let deadline = world.now + MINUTE;
        while *world.link.state() != State::Live {
            prop_assert!(world.now < deadline, "{:?}", world.link);
            match world.link.state() {
                State::Connecting => world.handle(Event::Opened),
                State::Greeting => world.handle(Event::Welcomed),
                _ => {
                    let next = world.link.deadline();
                    prop_assert!(next.is_some(), "a dead end: {:?}", world.link);
                    let pause = next.unwrap_or_default().saturating_sub(world.now);
                    world.pass(pause.max(Duration::from_millis(1)));
                }
            }
        }
    }
}

#[test]
fn a_silent_socket_is_given_up_and_the_loss_is_told() {
    let mut world = World::new(1);
    for event in [Event::Start, Event::Opened, Event::Welcomed] {
        world.handle(event);
    }
    world.pass(PING_EVERY + PONG_DEADLINE + Duration::from_millis(200));
    assert_eq!((world.link.state(), world.attempts.len()), (&State::Connecting, 2));
    let told = world.link.handle(Event::Opened, world.now);
    let [Effect::Greet(Some(loss))] = &told[..] else { panic!("{told:?}") };
    assert_eq!((loss.cause.as_str(), loss.attempts), ("ping timeout", 1));
}

#[test]
fn waking_up_probes_with_little_patience() {
    let mut world = World::new(1);
    for event in [Event::Start, Event::Opened, Event::Welcomed] {
        world.handle(event);
    }
    assert_eq!(world.link.handle(Event::Nudge, world.now), [Effect::Ping]);
    world.pass(PROBE_DEADLINE + Duration::from_millis(200));
    assert_eq!(world.attempts.len(), 2);
}

#[test]
fn a_token_is_renewed_once() {
    let mut world = World::new(1);
    world.handle(Event::Start);
    let expired = || Event::Closed { code: 4401, reason: String::new() };
    assert_eq!(world.link.handle(expired(), world.now), [Effect::Connect { renew: true }]);
    assert_eq!(world.link.handle(expired(), world.now), []);
    assert!(matches!(world.link.state(), State::Halted(why) if why.contains("--token")));
}

/// After many failures only probes are left; a key that is pressed brings the next one forward.
#[test]
fn typing_does_not_wait_for_a_breaker() {
    let mut world = World::new(1);
    world.handle(Event::Start);
    for _ in 0..5 {
        world.happens(&Step::Close(CUT));
        world.pass(world.link.retry_at.unwrap_or_default().saturating_sub(world.now));
    }
    world.happens(&Step::Close(CUT));
    let before = world.attempts.len();
    world.pass(NUDGE_PAUSE);
    assert_eq!(world.attempts.len(), before, "the breaker is open");
    world.handle(Event::Typed);
    assert_eq!(world.attempts.len(), before + 1);
}

#[test]
fn a_gap_in_the_input_is_mended_by_another_socket() {
    let mut world = World::new(1);
    for event in [Event::Start, Event::Opened, Event::Welcomed, Event::Gap, Event::Gap] {
        world.handle(event);
    }
    assert!(!world.socket && *world.link.state() == State::Waiting);
    world.pass(Duration::from_millis(100));
    assert!(world.socket && world.attempts.len() == 2);
}
