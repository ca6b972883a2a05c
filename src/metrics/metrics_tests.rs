use super::*;
use crate::chronicle::What;
use fabrica_crds::Reason;
use fabrica_protocol::run::Phase;
use fabrica_protocol::runtime::{AgentCounters, Latencies, Returns, TerminalCounters};
use serde_json::json;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap()
}

fn counted(mode: Mode, phase: &'static str) -> Counted {
    Counted { uid: "a".to_owned(), mode, phase: Some(phase), questions: 1 }
}

#[track_caller]
fn shows(page: &str, line: &str) {
    let line = format!("fabrica_operator_{line}");
    assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
}

fn idle(started: i64, reconnects: u64, heard: u64) -> Idle {
    let mut idle: Idle = serde_json::from_value(json!({"startedAt": at(started), "lastActivityAt": at(0),
        "busy": false, "clients": 2, "visibleClients": 0, "terminals": 3, "oomKills": 1, "reconnects": reconnects,
        "bytesIn": 0, "bytesOut": 0, "workspace": {"state": "None"}}))
    .unwrap();
    idle.returns = Returns { closed: reconnects, ..Returns::default() };
    let mut latencies = Latencies::default();
    (0..heard).for_each(|_| latencies.add(Duration::from_millis(2)));
    idle.terminal = TerminalCounters {
        opened: reconnects,
        open_failures: 1,
        client_stalls: heard,
        echo: latencies.clone(),
        ..TerminalCounters::default()
    };
    idle.conversation =
        Some(AgentCounters { heard: latencies, crashes: 1, ..AgentCounters::default() });
    idle
}

#[test]
fn every_mode_and_phase_is_a_series_from_the_beginning() {
    let metrics = Metrics::default();
    metrics.reconciled(true, Duration::from_millis(3));
    let all = [counted(Mode::Chat, "Running"), counted(Mode::Run, "Queued")];
    let page = metrics.render(&all, 1).unwrap();
    shows(&page, "sessions{mode=\"Chat\",phase=\"Running\"} 1");
    shows(&page, "sessions{mode=\"Terminal\",phase=\"Failed\"} 0");
    shows(&page, "runs{phase=\"Queued\"} 1");
    shows(&page, "escalations{mode=\"Chat\"} 1");
    shows(&page, "reconciles_total{result=\"ok\"} 1");
    shows(&page, "reconciles_total{result=\"error\"} 0");
    shows(&page, "backoff_objects 1");
    for mode in ["Terminal", "Chat"] {
        shows(&page, &format!("workflows_total{{mode=\"{mode}\",outcome=\"completed\"}} 0"));
        shows(&page, &format!("turns_total{{mode=\"{mode}\",outcome=\"stream_cut\"}} 0"));
    }
    shows(&page, "agent_crashes_total{mode=\"Run\"} 0");
    shows(&page, "chat_message_seconds_count{direction=\"in\"} 0");
    shows(&page, "terminal_opens_total{outcome=\"failed\"} 0");
    shows(&page, "terminal_stalls_total{of=\"program\"} 0");
    shows(&page, "client_breakers_total 0");
    shows(&page, "terminal_resume_seconds_count 0");
    shows(&page, "start_seconds_count{mode=\"Run\"} 0");
    shows(&page, "ready_failures_total{mode=\"Terminal\",reason=\"ImagePullFailed\"} 0");
}

#[test]
fn what_a_runtime_counts_is_added_once() {
    let metrics = Metrics::new(at(0));
    let all = [counted(Mode::Chat, "Running")];
    // It is older than we are: another has exported this.
    metrics.report("a", Mode::Chat, Some(&idle(-5, 7, 1)), at(1));
    metrics.report("a", Mode::Chat, Some(&idle(-5, 9, 3)), at(2));
    metrics.report("a", Mode::Chat, None, at(3));
    let page = metrics.render(&all, 0).unwrap();
    shows(&page, "terminals 0");
    metrics.report("a", Mode::Chat, Some(&idle(-5, 9, 3)), at(4));
    // Its process is another one.
    metrics.report("a", Mode::Chat, Some(&idle(5, 1, 1)), at(5));
    // A Run is not asked, but tells.
    let crash =
        |second| Happening { what: What::Crash, from: at(second), to: at(second), failed: true };
    assert!(!metrics.happened(Mode::Run, &crash(-1)) && metrics.happened(Mode::Run, &crash(1)));
    let page = metrics.render(&all, 0).unwrap();
    shows(&page, "client_reconnects_total{mode=\"Terminal\",cause=\"closed\"} 3");
    shows(&page, "chat_message_seconds_count{direction=\"in\"} 3");
    shows(&page, "chat_message_seconds_bucket{le=\"0.001\",direction=\"in\"} 0");
    shows(&page, "chat_message_seconds_bucket{le=\"0.002\",direction=\"in\"} 3");
    shows(&page, "agent_crashes_total{mode=\"Chat\"} 1");
    shows(&page, "agent_crashes_total{mode=\"Run\"} 1");
    shows(&page, "terminal_opens_total{outcome=\"opened\"} 3");
    shows(&page, "terminal_opens_total{outcome=\"failed\"} 1");
    shows(&page, "terminal_stalls_total{of=\"client\"} 3");
    shows(&page, "terminal_echo_seconds_count 3");
    shows(&page, "terminal_echo_seconds_bucket{le=\"0.002\"} 3");
    shows(&page, "oom_kills_total 1");
    shows(&page, "clients{mode=\"Chat\"} 2");
    shows(&page, "terminals 3");
    metrics.forget(&HashSet::new());
    let page = metrics.render(&[], 0).unwrap();
    shows(&page, "terminals 0");
}

#[test]
fn what_agents_do_is_counted_by_mode() {
    let metrics = Metrics::new(at(0));
    let turn = || What::Turn { outcome: "completed" };
    let workflow = || What::Workflow { exit_code: 1 };
    for (mode, what) in [
        (Mode::Chat, turn()),
        (Mode::Chat, turn()),
        (Mode::Terminal, turn()),
        (Mode::Chat, workflow()),
    ] {
        let happening = Happening { what, from: at(1), to: at(2), failed: false };
        assert!(metrics.happened(mode, &happening));
    }
    let page = metrics.render(&[], 0).unwrap();
    shows(&page, "turns_total{mode=\"Chat\",outcome=\"completed\"} 2");
    shows(&page, "turns_total{mode=\"Terminal\",outcome=\"completed\"} 1");
    shows(&page, "workflows_total{mode=\"Chat\",outcome=\"failed\"} 1");
    shows(&page, "workflows_total{mode=\"Terminal\",outcome=\"failed\"} 0");
}

#[test]
fn who_comes_back_more_than_ten_times_a_minute_is_in_a_loop() {
    let metrics = Metrics::new(at(0));
    let all = [counted(Mode::Terminal, "Running")];
    let loops = |seconds, reconnects| {
        metrics.report("a", Mode::Terminal, Some(&idle(1, reconnects, 0)), at(seconds));
        let page = metrics.render(&all, 0).unwrap();
        page.lines().any(|line| line == "fabrica_operator_reconnect_loops 1")
    };
    assert!(!loops(2, 50), "nobody knows since when");
    assert!(!loops(32, 70), "not yet");
    assert!(loops(62, 70));
    assert!(loops(92, 70), "until it is known better");
    assert!(!loops(182, 90), "ten a minute");
}

fn step(before: Standing, after: Standing) -> Step {
    Step { uid: "a".to_owned(), mode: Mode::Chat, before, after, begins: true }
}

fn standing(stage: Stage, reason: Reason, dollars: f64) -> Standing {
    let spent = Spent { dollars, tokens: [5, 0, 0, 0] };
    Standing { stage, reason: Some(reason), spent, ..Standing::default() }
}

#[test]
fn starts_failures_and_costs_are_counted_by_what_changes() {
    let metrics = Metrics::default();
    let waits = standing(Stage::Waits, Reason::Pending, 0.25);
    let ready = standing(Stage::Ready, Reason::Ready, 0.75);
    let now = Instant::now();
    let step_at = |before, after, now| metrics.step(step(before, after), now);
    step_at(waits.clone(), waits.clone(), now);
    let now = now + Duration::from_secs(2);
    step_at(waits.clone(), ready.clone(), now);
    // The store shows a status of a moment ago.
    step_at(waits, ready.clone(), now);
    let failed = standing(Stage::Failed, Reason::CloneFailed, 0.75);
    step_at(ready, failed.clone(), now);
    step_at(failed.clone(), failed, now);
    let page = metrics.render(&[counted(Mode::Chat, "Failed")], 0).unwrap();
    shows(&page, "start_seconds_count{mode=\"Chat\"} 1");
    shows(&page, "start_seconds_sum{mode=\"Chat\"} 2.0");
    shows(&page, "ready_failures_total{mode=\"Chat\",reason=\"CloneFailed\"} 1");
    shows(&page, "cost_dollars_total{mode=\"Chat\"} 0.5");
    shows(&page, "tokens_total{mode=\"Chat\",class=\"input\"} 0");
}

#[test]
fn a_run_ends_once_and_its_attempts_are_told() {
    let metrics = Metrics::default();
    let run = |before: Standing, after: Standing| Step { mode: Mode::Run, ..step(before, after) };
    let going = standing(Stage::Ready, Reason::Running, 0.0);
    let mut failed = standing(Stage::Failed, Reason::AgentFailed, 0.0);
    failed.attempts = vec![Some(Reason::PodLost), Some(Reason::AgentFailed)];
    let now = Instant::now();
    metrics.step(run(going, failed.clone()), now);
    metrics.step(run(failed.clone(), failed), now);
    let page = metrics.render(&[counted(Mode::Run, "Failed")], 0).unwrap();
    shows(&page, "runs_finished_total{outcome=\"Failed\"} 1");
    shows(&page, "run_attempts_total{reason=\"PodLost\"} 1");
    shows(&page, "run_attempts_total{reason=\"AgentFailed\"} 1");
}

#[test]
fn what_ended_before_this_process_is_not_counted() {
    let metrics = Metrics::new(at(0));
    let what = What::Phase { phase: Phase::Build, retry: 1 };
    for to in [-1, 1] {
        let what = what.clone();
        metrics.happened(Mode::Chat, &Happening { what, from: at(-9), to: at(to), failed: false });
    }
    let page = metrics.render(&[], 0).unwrap();
    shows(&page, "phase_seconds_count{mode=\"Chat\",phase=\"build\"} 1");
    shows(&page, "phase_seconds_sum{mode=\"Chat\",phase=\"build\"} 10.0");
    shows(&page, "phase_retries_total{mode=\"Chat\",phase=\"build\"} 1");
}
