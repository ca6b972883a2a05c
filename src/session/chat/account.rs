//! What the conversations of a pod used up, by all that was ever seen of them: the file that the pod counts in can be
//! changed there. Pure.

use fabrica_crds::SessionStatus;
use fabrica_crds::session::Usage;
use fabrica_protocol::run::Spent;

use super::talk::Talk;
use crate::children::money::Money;
use crate::children::usage::cost;

/// What counts for the budget that a pod was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::session) struct Account {
    /// What was used up by others, in US dollars: the pod's budget is without it.
    others: Money,
    /// Turns of journals that this pod showed before the present one.
    turns: u64,
}

impl Account {
    /// That of a pod which is first seen now. What the conversation used that goes on in it is its own.
    pub(in crate::session) fn open(
        status: Option<&SessionStatus>,
        number: u32,
        goes_on: bool,
    ) -> Self {
        let conversation = status.and_then(|status| status.conversation.as_ref());
        let own = conversation.filter(|it| goes_on || u32::try_from(it.number) == Ok(number));
        let own = own.and_then(|conversation| conversation.usage.as_ref()).map(cost);
        let total = status.and_then(|status| status.usage.as_ref()).map(cost).unwrap_or_default();
        let others = total.less(own.unwrap_or_default()).unwrap_or_default();
        Self { others, turns: 0 }
    }

    /// The pod shows another journal. That happens only when somebody puts one there.
    pub(in crate::session) fn turn_page(&mut self, before: &Talk) {
        self.turns += before.turns;
    }

    /// What this pod has used up, when all conversations have used so much.
    pub(in crate::session) fn spent(&self, total: Option<&Usage>, talk: &Talk) -> Spent {
        let total = total.map(cost).unwrap_or_default();
        let spent = total.less(self.others).unwrap_or_default();
        Spent { estimated_cost_usd: spent.to_string(), turns: self.turns + talk.turns }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn usage(cost: &str) -> Value {
        json!({"inputTokens": 1, "outputTokens": 1, "cacheReadTokens": 0, "cacheWriteTokens": 0, "estimatedCostUSD": cost})
    }

    fn status(total: &str, number: u32, own: &str) -> SessionStatus {
        let conversation = json!({"number": number, "usage": usage(own)});
        serde_json::from_value(json!({"usage": usage(total), "conversation": conversation}))
            .unwrap()
    }

    #[rstest]
    #[case::first(None, 1, false, "0.20", "0.20")]
    #[case::goes_on(Some(status("0.5", 1, "0.3")), 1, true, "0.60", "0.40")]
    // Somebody put another journal there: what the former one used is this pod's still.
    #[case::another_file(Some(status("0.5", 1, "0.3")), 2, true, "0.60", "0.40")]
    #[case::begins_anew(Some(status("0.5", 1, "0.3")), 2, false, "0.60", "0.10")]
    #[case::after_a_new_leader(Some(status("0.5", 2, "0.3")), 2, false, "0.60", "0.40")]
    fn a_pod_answers_for_what_its_budget_is_for(
        #[case] before: Option<SessionStatus>,
        #[case] number: u32,
        #[case] goes_on: bool,
        #[case] now: &str,
        #[case] spent: &str,
    ) {
        let account = Account::open(before.as_ref(), number, goes_on);
        let total = status(now, number, "0").usage;
        let told = account.spent(total.as_ref(), &Talk::default());
        assert_eq!((told.estimated_cost_usd.as_str(), told.turns), (spent, 0));
    }

    #[test]
    fn turns_count_on_when_the_file_is_another_one() {
        let mut account = Account::default();
        let mut talk = Talk::default();
        talk.turns = 7;
        account.turn_page(&talk);
        talk.turns = 2;
        assert_eq!(account.spent(None, &talk).turns, 9);
    }
}
