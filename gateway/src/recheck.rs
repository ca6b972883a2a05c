//! Live sockets are looked at again every so often. One whose access has ended is closed through its pod, so that its
//! client learns why; what cannot be decided stays, for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::close;
use futures::{StreamExt, stream};
use uuid::Uuid;

use crate::app::App;
use crate::socket::decision::{Grant, decide};
use crate::socket::registry::LiveSocket;

/// Sockets checked at a time.
const CONCURRENCY: usize = 8;

/// How long a socket may live while nothing can be decided.
const UNDECIDED_LIMIT: Duration = Duration::from_hours(1);

/// How long a pod and its client may take to close before the tunnel is cut.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// What becomes of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Keep,
    /// Nothing could be decided; it stays.
    Unknown,
    /// It ends with a close code.
    End(u16),
}

/// Checks all live sockets at every interval, for ever.
pub async fn run(app: App) {
    let mut ticks = tokio::time::interval(app.config.recheck);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let sockets = stream::iter(app.sockets.all());
        sockets.for_each_concurrent(CONCURRENCY, |socket| check(&app, socket)).await;
    }
}

async fn check(app: &App, socket: Arc<LiveSocket>) {
    let grant = decide(&app.access, &socket.identity, &socket.key, socket.door).await;
    if let Err(error) = &grant {
        tracing::debug!(error = %crate::chain(error), "a live socket could not be checked");
    }
    let verdict = judge(grant.ok(), &socket, Utc::now(), Instant::now());
    match verdict {
        Verdict::Keep => {
            socket.confirm();
            app.metrics.recheck("kept");
        }
        Verdict::Unknown => app.metrics.recheck("unknown"),
        Verdict::End(code) => {
            app.metrics.recheck("ended");
            let ending = end(app.clone(), socket, code);
            app.tasks.spawn(ending);
        }
    }
}

fn judge(
    grant: Option<Grant>,
    socket: &LiveSocket,
    now: DateTime<Utc>,
    instant: Instant,
) -> Verdict {
    if now >= socket.identity.expires {
        return Verdict::End(close::UNAUTHENTICATED);
    }
    match grant {
        Some(Grant::Rights(rights)) if rights.cover(socket.rights) => Verdict::Keep,
        // Some right is gone: the client comes back at once, with those that are left.
        Some(Grant::Rights(_)) => Verdict::End(close::GOING_AWAY),
        Some(Grant::SessionOnly | Grant::Nothing) => Verdict::End(close::FORBIDDEN),
        None if instant.saturating_duration_since(socket.confirmed()) >= UNDECIDED_LIMIT => {
            Verdict::End(close::NOT_READY)
        }
        None => Verdict::Unknown,
    }
}

/// Ends one socket: the pod sends the close frame, then the tunnel is cut whatever the pod did.
async fn end(app: App, socket: Arc<LiveSocket>, code: u16) {
    let LiveSocket { id, identity, key, .. } = &*socket;
    tracing::info!(connection = %id, user = identity.name(), session = %key, code, "ending a live socket");
    if let Err(reason) = close_through_pod(&app, &socket, code).await {
        tracing::warn!(connection = %id, reason, "the pod did not close a socket; cutting it");
    }
    tokio::select! {
        () = tokio::time::sleep(CLOSE_GRACE) => socket.cut.cancel(),
        () = socket.cut.cancelled() => {}
    }
}

async fn close_through_pod(app: &App, socket: &LiveSocket, code: u16) -> Result<(), String> {
    let LiveSocket { id, identity, pod, .. } = socket;
    let request = Uuid::new_v4().to_string();
    let assertion =
        app.trust.assertion(&pod.uid, identity.name(), Role::Operator, &request, Utc::now());
    let assertion = assertion.map_err(|error| crate::chain(&error))?;
    let connection = id.to_string();
    let closing = app.pods.close(pod, &assertion, &connection, code);
    match tokio::time::timeout(CLOSE_GRACE, closing).await {
        Ok(result) => result.map_err(|error| crate::chain(&error)),
        Err(_) => Err("it did not answer in time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use clap::Parser;
    use rstest::rstest;

    use super::*;
    use crate::access::LIFETIME;
    use crate::flags::Flags;
    use crate::identity::{Identity, User};
    use crate::names::ObjectKey;
    use crate::pods::Pod;
    use crate::socket::decision::Rights;
    use crate::socket::door::Door;

    fn socket(rights: Rights) -> LiveSocket {
        let user =
            User { name: "dana".into(), uid: String::new(), groups: vec![], extra: [].into() };
        let identity = Identity::new(user, Utc::now() + TimeDelta::hours(1));
        let key = ObjectKey { namespace: "demo".into(), name: "a".into() };
        let pod = Pod { address: ([127, 0, 0, 1], 3000).into(), uid: "1".into() };
        LiveSocket::new(identity, key, pod, Door::Chat, rights)
    }

    fn rights(role: Role, answers: bool) -> Rights {
        Rights { role, answers }
    }

    #[rstest]
    #[case::same(Role::Control, false, Some((Role::Control, false)), Verdict::Keep)]
    #[case::more(Role::View, false, Some((Role::Control, true)), Verdict::Keep)]
    #[case::view(Role::View, true, Some((Role::View, true)), Verdict::Keep)]
    #[case::less(Role::Control, true, Some((Role::View, true)), Verdict::End(1001))]
    #[case::no_answers(Role::Control, true, Some((Role::Control, false)), Verdict::End(1001))]
    fn judges_rights(
        #[case] role: Role,
        #[case] answers: bool,
        #[case] grant: Option<(Role, bool)>,
        #[case] expected: Verdict,
    ) {
        let grant = grant.map(|(role, answers)| Grant::Rights(rights(role, answers)));
        let socket = socket(rights(role, answers));
        assert_eq!(judge(grant, &socket, Utc::now(), Instant::now()), expected);
    }

    #[rstest]
    #[case(Some(Grant::SessionOnly), Verdict::End(4403))]
    #[case(Some(Grant::Nothing), Verdict::End(4403))]
    #[case(None, Verdict::Unknown)]
    fn judges(#[case] grant: Option<Grant>, #[case] expected: Verdict) {
        let socket = socket(rights(Role::Control, false));
        assert_eq!(judge(grant, &socket, Utc::now(), Instant::now()), expected);
    }

    /// A right may have been remembered right before it ended, right before a check.
    #[test]
    fn a_right_that_ends_is_gone_within_a_minute() {
        let flags = Flags::parse_from(["gateway"]);
        let latest = Duration::from_secs(flags.recheck_seconds) + LIFETIME + CLOSE_GRACE;
        assert!(latest <= Duration::from_mins(1), "{latest:?}");
    }

    #[test]
    fn logins_and_patience_end() {
        let control = rights(Role::Control, false);
        let socket = socket(control);
        let control = Some(Grant::Rights(control));
        let tomorrow = Utc::now() + TimeDelta::days(1);
        assert_eq!(judge(control, &socket, tomorrow, Instant::now()), Verdict::End(4401));
        let later = Instant::now() + UNDECIDED_LIMIT;
        assert_eq!(judge(None, &socket, Utc::now(), later), Verdict::End(4503));
    }
}
