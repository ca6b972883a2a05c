//! What runtimes count of their terminals, summed up.

use fabrica_protocol::runtime::{Idle, Latencies, TerminalCounters};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::family::{Counters, Measured, begin, registered};

#[derive(Debug)]
pub(super) struct Terminals {
    opens: Counters<1>,
    bytes: Counters<1>,
    resumes: Counters<1>,
    stalls: Counters<1>,
    breakers: Counter,
    away: Measured,
    resume: Measured,
    echo: Measured,
}

impl Terminals {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let mut counters = |name, help, label, values: &[&'static str]| {
            let family = registered(registry, name, help, Counters::<1>::default());
            begin(&family, label, values.iter().copied());
            family
        };
        let words = "Shells that were wanted, by outcome";
        let opens = counters("terminal_opens", words, "outcome", &["opened", "failed"]);
        let words = "Bytes typed into terminals and shown from them";
        let bytes = counters("terminal_bytes", words, "direction", &["in", "out"]);
        let words = "Terminals that clients came back to, by what they found";
        let outcomes = ["exact", "snapshot", "lost"];
        let resumes = counters("terminal_resumes", words, "outcome", &outcomes);
        let words = "Times that output waited for clients to parse, by whom it held up";
        let stalls = counters("terminal_stalls", words, "of", &["client", "program"]);
        let words = "Clients that came back after so many tries that their breaker was open";
        let breakers = registered(registry, "client_breakers", words, Counter::default());
        let mut measured = |name, help| registered(registry, name, help, Measured::default());
        let away = measured("client_away_seconds", "Time that clients had no connection");
        let words = "From HELLO of a client that came back until all that it missed was sent";
        let resume = measured("terminal_resume_seconds", words);
        let words = "From a program's input until its next output, sampled";
        let echo = measured("terminal_echo_seconds", words);
        Self { opens, bytes, resumes, stalls, breakers, away, resume, echo }
    }

    /// Counts what a process has more than it had.
    pub(super) fn count(&self, idle: &Idle, before: Option<&Idle>) {
        let added =
            |of: fn(&Idle) -> u64| of(idle).saturating_sub(before.map(of).unwrap_or_default());
        let count = |family: &Counters<1>, label, value, of| {
            family.get_or_create(&[(label, value)]).inc_by(added(of));
        };
        count(&self.opens, "outcome", "opened", |idle| idle.terminal.opened);
        count(&self.opens, "outcome", "failed", |idle| idle.terminal.open_failures);
        count(&self.bytes, "direction", "in", |idle| idle.bytes_in);
        count(&self.bytes, "direction", "out", |idle| idle.bytes_out);
        count(&self.resumes, "outcome", "exact", |idle| idle.resumes.exact);
        count(&self.resumes, "outcome", "snapshot", |idle| idle.resumes.snapshot);
        count(&self.resumes, "outcome", "lost", |idle| idle.resumes.lost);
        count(&self.stalls, "of", "client", |idle| idle.terminal.client_stalls);
        count(&self.stalls, "of", "program", |idle| idle.terminal.program_stalls);
        self.breakers.inc_by(added(|idle| idle.terminal.breakers));
        let nothing = TerminalCounters::default();
        let former = before.map_or(&nothing, |idle| &idle.terminal);
        let measure = |sum: &Measured, now: &Latencies, former| sum.add(&now.since(former));
        measure(&self.away, &idle.terminal.away, &former.away);
        measure(&self.resume, &idle.terminal.resume, &former.resume);
        measure(&self.echo, &idle.terminal.echo, &former.echo);
    }
}
