//! What a conversation has used up, whichever process asked. The journal says so, but the agent can write that file too: so
//! whoever keeps the journal tells us what was seen of it, and the more counts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fabrica_protocol::run::{self, Tokens, Usage};
use tokio::sync::watch;

use crate::broker::Broker;
use crate::broker::ledger::Spent;
use crate::broker::money::Money;
use crate::run::claude::spending;

/// The purse.
#[derive(Debug, Default)]
pub(crate) struct Purse {
    state: Mutex<State>,
    /// Whether anybody has told us what was seen.
    heard: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// Before the present broker was opened.
    before: Usage,
    broker: Option<Arc<Broker>>,
    /// Answers of the present broker that were told.
    told: u64,
    /// Whether more was seen than was told.
    is_raised: bool,
}

impl State {
    fn own(&self) -> Usage {
        self.broker.as_ref().map(|broker| spending::usage(&broker.ledger())).unwrap_or_default()
    }

    fn all(&self) -> Usage {
        sum(&self.before, &self.own())
    }
}

impl Purse {
    pub(crate) fn new(before: Usage) -> Self {
        let state = State { before, ..State::default() };
        Self { state: Mutex::new(state), heard: watch::Sender::default() }
    }

    /// Everything that was used up.
    pub(crate) fn all(&self) -> Usage {
        self.lock().all()
    }

    /// What counts for the limits of a broker that is opened now.
    pub(crate) fn spent(&self) -> Spent {
        of(&self.lock().all())
    }

    /// Another broker is asked from now on.
    pub(crate) fn open(&self, broker: Arc<Broker>) {
        let mut state = self.lock();
        state.before = state.all();
        broker.raise(of(&state.before));
        (state.broker, state.told) = (Some(broker), 0);
    }

    /// Everything that was used up, when it is more than was told.
    pub(crate) fn grown(&self) -> Option<Usage> {
        let mut state = self.lock();
        let answers = state.broker.as_ref()?.ledger().answers();
        if state.told == answers && !state.is_raised {
            return None;
        }
        (state.told, state.is_raised) = (answers, false);
        Some(state.all())
    }

    /// So much was seen to be used up. Says what is to be told, when the journal knows less.
    pub(crate) fn hear(&self, seen: &run::Spent) -> Option<String> {
        self.heard.send_replace(true);
        let seen = Spent { cost: money(&seen.estimated_cost_usd), turns: seen.turns };
        let mut state = self.lock();
        let known = of(&state.all());
        if seen.cost <= known.cost && seen.turns <= known.turns {
            return None;
        }
        let own = of(&state.own());
        let most = Spent { cost: known.cost.max(seen.cost), turns: known.turns.max(seen.turns) };
        state.before.estimated_cost_usd = most.cost.without(own.cost).to_string();
        state.before.turns = most.turns.saturating_sub(own.turns);
        state.is_raised = true;
        if let Some(broker) = &state.broker {
            broker.raise(most);
        }
        Some(format!(
            "By this journal, ${} and {} turns were used up; more was seen before: ${} and {} turns. Something in the pod changed it. What was seen counts.",
            known.cost, known.turns, most.cost, most.turns
        ))
    }

    /// Waits until somebody has told what was seen.
    pub(crate) async fn heard(&self) {
        // The sender lives as long as we do.
        let _ = self.heard.subscribe().wait_for(|heard| *heard).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn money(text: &str) -> Money {
    text.parse().unwrap_or_default()
}

fn of(usage: &Usage) -> Spent {
    Spent { cost: money(&usage.estimated_cost_usd), turns: usage.turns }
}

fn sum(before: &Usage, now: &Usage) -> Usage {
    let mut models = before.models.clone();
    for (model, used) in &now.models {
        let all: &mut Tokens = models.entry(model.clone()).or_default();
        all.input += used.input;
        all.output += used.output;
        all.cache_read += used.cache_read;
        all.cache_write += used.cache_write;
    }
    let cost = money(&before.estimated_cost_usd) + money(&now.estimated_cost_usd);
    let turns = before.turns + now.turns;
    Usage { models, estimated_cost_usd: cost.to_string(), turns }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn usage(model: &str, input: u64, cost: &str, turns: u64) -> Usage {
        let tokens = Tokens { input, ..Tokens::default() };
        let models = [(model.to_owned(), tokens)].into();
        Usage { models, estimated_cost_usd: cost.to_owned(), turns }
    }

    fn seen(cost: &str, turns: u64) -> run::Spent {
        run::Spent { estimated_cost_usd: cost.to_owned(), turns }
    }

    #[test]
    fn what_former_processes_used_counts() {
        let all = sum(&usage("a", 1, "0.5", 1), &usage("a", 2, "0.25", 2));
        assert_eq!(all, usage("a", 3, "0.75", 3));
        let all = sum(&Usage::default(), &usage("b", 2, "0.25", 1));
        assert_eq!(all, usage("b", 2, "0.25", 1));
    }

    #[test]
    fn what_was_seen_counts_when_the_journal_knows_less() {
        let purse = Purse::new(usage("a", 1, "0.10", 2));
        assert!(purse.heard().now_or_never().is_none());
        assert_eq!(purse.hear(&seen("0.10", 2)), None);
        assert!(purse.heard().now_or_never().is_some());
        let words = purse.hear(&seen("0.50", 1)).unwrap();
        assert!(
            words.contains("$0.10 and 2 turns") && words.contains("$0.50 and 2 turns"),
            "{words}"
        );
        assert_eq!(purse.spent(), Spent { cost: money("0.50"), turns: 2 });
        assert_eq!(purse.hear(&seen("0.50", 2)), None);
        assert!(purse.hear(&seen("0.20", 9)).is_some());
        assert_eq!(purse.spent(), Spent { cost: money("0.50"), turns: 9 });
    }
}
