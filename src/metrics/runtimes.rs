//! What the runtimes in pods say of themselves: sums of what is, and differences of what they count.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use fabrica_protocol::runtime::{AgentCounters, Idle};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::family::{Counters, Gauges, Labels, Measured, begin, gauge, registered};
use super::mode::Mode;
use super::terminals::Terminals;

/// Who comes back more often than this in a minute is in a loop: each time costs seconds of somebody's work.
const LOOP_PER_MINUTE: i64 = 10;
/// Reconnects are judged over at least so long: runtimes are asked once a minute at the rarest.
const WINDOW: chrono::Duration = chrono::Duration::minutes(1);

/// The last word of each runtime.
#[derive(Debug)]
pub(super) struct Runtimes {
    /// What a runtime counted before is another process's to export.
    began: DateTime<Utc>,
    reports: HashMap<String, Report>,
    terminals: Gauge,
    counted: Terminals,
    clients: Gauges<1>,
    loops: Gauge,
    reconnects: Counters<2>,
    oom_kills: Counter,
    crashes: Counters<1>,
    messages: Family<Labels<1>, Measured>,
}

#[derive(Debug)]
struct Report {
    mode: Mode,
    idle: Idle,
    /// Whether the runtime could be asked the last time.
    present: bool,
    since: DateTime<Utc>,
    /// Reconnects at that time.
    then: u64,
    loops: bool,
}

impl Runtimes {
    pub(super) fn new(registry: &mut Registry, began: DateTime<Utc>) -> Self {
        let mut counters = |name, help| registered(registry, name, help, Family::default());
        let reconnects =
            counters("client_reconnects", "Clients that came back, by mode and by what they say");
        for mode in [Mode::Terminal, Mode::Chat] {
            for cause in ["closed", "silent", "other"] {
                drop(reconnects.get_or_create(&[mode.label(), ("cause", cause)]));
            }
        }
        let counted = Terminals::new(registry);
        let words = "Messages between people and agents: what the runtime adds to their way";
        let messages =
            registered(registry, "chat_message_seconds", words, Family::<_, Measured>::default());
        begin(&messages, "direction", ["in", "out"]);
        let words = "Clients connected to all runtimes, by mode";
        let clients = registered(registry, "clients", words, Gauges::<1>::default());
        let mut gauges = |name, help| registered(registry, name, help, Gauge::default());
        let terminals = gauges("terminals", "Terminals open in all runtimes");
        let words = "Sessions whose clients come back more than 10 times a minute";
        let loops = gauges("reconnect_loops", words);
        let words = "Processes killed for lack of memory";
        let oom_kills = registered(registry, "oom_kills", words, Counter::default());
        let words = "Times an agent's program ended by itself, by mode";
        let crashes = registered(registry, "agent_crashes", words, Counters::<1>::default());
        begin(&crashes, "mode", Mode::ALL.map(Mode::as_str));
        let reports = HashMap::new();
        Self {
            began,
            reports,
            terminals,
            counted,
            clients,
            loops,
            reconnects,
            oom_kills,
            crashes,
            messages,
        }
    }

    /// What counts programs of agents that ended by themselves.
    pub(super) fn crashes(&self) -> Counters<1> {
        self.crashes.clone()
    }

    /// What a runtime says; `None`: it cannot be asked.
    pub(super) fn report(
        &mut self,
        uid: &str,
        mode: Mode,
        idle: Option<&Idle>,
        now: DateTime<Utc>,
    ) {
        let before = self.reports.remove(uid);
        let Some(idle) = idle else {
            let before = before.map(|before| Report { present: false, loops: false, ..before });
            self.reports.extend(before.map(|before| (uid.to_owned(), before)));
            return;
        };
        // A process that is new to us, and older than we are: what it counted until now was exported by another.
        let same = before.as_ref().filter(|before| before.idle.started_at == idle.started_at);
        let known = match same {
            Some(before) => Some(&before.idle),
            None => Some(idle).filter(|idle| idle.started_at < self.began && before.is_none()),
        };
        self.count(mode, idle, known);
        let report = judge(same, mode, idle, now);
        self.reports.insert(uid.to_owned(), report);
    }

    /// Counts what a process has more than it had.
    fn count(&self, mode: Mode, idle: &Idle, before: Option<&Idle>) {
        let added =
            |of: fn(&Idle) -> u64| of(idle).saturating_sub(before.map(of).unwrap_or_default());
        let reconnects = |mode: Mode, cause, count| {
            self.reconnects.get_or_create(&[mode.label(), ("cause", cause)]).inc_by(count);
        };
        // Terminals of Chats, too.
        reconnects(Mode::Terminal, "closed", added(|idle| idle.returns.closed));
        reconnects(Mode::Terminal, "silent", added(|idle| idle.returns.silent));
        reconnects(Mode::Terminal, "other", added(|idle| idle.returns.other));
        self.counted.count(idle, before);
        self.oom_kills.inc_by(added(|idle| idle.oom_kills));
        let Some(agent) = &idle.conversation else { return };
        let nothing = AgentCounters::default();
        let former = before.and_then(|idle| idle.conversation.as_ref()).unwrap_or(&nothing);
        let crashes = agent.crashes.saturating_sub(former.crashes);
        self.crashes.get_or_create(&[mode.label()]).inc_by(crashes);
        reconnects(mode, "other", agent.reconnects.saturating_sub(former.reconnects));
        let measured = |direction| self.messages.get_or_create(&[("direction", direction)]).clone();
        measured("in").add(&agent.heard.since(&former.heard));
        measured("out").add(&agent.shown.since(&former.shown));
    }

    /// Forgets the runtimes of objects that are gone.
    pub(super) fn prune(&mut self, there: &HashSet<&str>) {
        self.reports.retain(|uid, _| there.contains(uid.as_str()));
    }

    /// Sums up what is.
    pub(super) fn sum(&self) {
        let live = || self.reports.values().filter(|report| report.present);
        self.terminals.set(live().map(|it| i64::from(it.idle.terminals)).sum());
        for mode in Mode::ALL {
            let clients = live().filter(|it| it.mode == mode).map(|it| i64::from(it.idle.clients));
            self.clients.get_or_create(&[mode.label()]).set(clients.sum());
        }
        self.loops.set(gauge(live().filter(|it| it.loops).count()));
    }
}

/// Whether clients come back again and again. `before`: the last word of the same process.
fn judge(before: Option<&Report>, mode: Mode, idle: &Idle, now: DateTime<Utc>) -> Report {
    let chat = idle.conversation.as_ref().map_or(0, |agent| agent.reconnects);
    let all = idle.reconnects.saturating_add(chat);
    let report =
        |since, then, loops| Report { mode, idle: idle.clone(), present: true, since, then, loops };
    let Some(before) = before else { return report(now, all, false) };
    let elapsed = now - before.since;
    if elapsed < WINDOW {
        return report(before.since, before.then, before.loops);
    }
    let added = i64::try_from(all.saturating_sub(before.then)).unwrap_or(i64::MAX);
    let allowed = elapsed.num_seconds().saturating_mul(LOOP_PER_MINUTE) / 60;
    report(now, all, added > allowed)
}
