//! The driver that a Run asks for.

use std::sync::Arc;

use fabrica_protocol::run::{Entry, Usage};

use super::claude::Claude;
use super::driver::{Completion, Driver, DriverError, Event, Place};
use super::handle::Run;
use super::kept::Conversation;
use super::plan::{self, PlanError};
use super::questions::Questions;
use super::script::Script;
use super::shelf::Former;
use super::verdict::Ending;
use crate::config::RunConfig;
use crate::journal::Journal as Steps;

/// The driver that runs the plan's own blocks.
pub(super) const SCRIPT: &str = "script";

/// Who works, and on which plan.
pub(super) fn choose(run: &Run) -> Result<(Agent, Option<String>), Ending> {
    let settings = &run.settings;
    let missing = |error| Ending::Plan(crate::chain(&error));
    let plan = plan::load(settings).map_err(missing)?;
    let steps = || run.steps();
    let Some(agent) = Agent::of(settings, plan.as_deref(), steps, &run.questions) else {
        let driver = &settings.driver;
        let message = format!("This runtime has no driver {driver}: it has script and claude.");
        return Err(Ending::misconfigured("agent", "DriverUnknown", message));
    };
    Ok((agent.map_err(missing)?, plan))
}

/// One of the drivers.
pub(super) enum Agent {
    Script(Box<Script>),
    Claude(Box<Claude>),
}

impl Agent {
    /// The driver of a Run; nothing when this runtime has none of that name.
    fn of(
        settings: &RunConfig,
        plan: Option<&str>,
        steps: impl FnOnce() -> Steps,
        questions: &Arc<Questions>,
    ) -> Option<Result<Self, PlanError>> {
        match settings.driver.as_str() {
            SCRIPT => Some(Script::new(plan).map(|script| Self::Script(Box::new(script)))),
            "claude" => {
                let (steps, questions) = (Arc::new(steps()), questions.clone());
                let claude = Claude::new(&settings.agent, steps, questions, settings.hold);
                Some(Ok(Self::Claude(Box::new(claude))))
            }
            _ => None,
        }
    }
}

impl Driver for Agent {
    async fn start(
        &mut self,
        place: &Place<'_>,
        plan: &str,
        from: Option<&Former>,
    ) -> Result<(), DriverError> {
        match self {
            Self::Script(script) => script.start(place, plan, from).await,
            Self::Claude(claude) => claude.start(place, plan, from).await,
        }
    }

    async fn next(&mut self, place: &Place<'_>) -> Option<Result<Event, DriverError>> {
        match self {
            Self::Script(script) => script.next(place).await,
            Self::Claude(claude) => claude.next(place).await,
        }
    }

    async fn resume(&mut self, place: &Place<'_>) -> Result<(), DriverError> {
        match self {
            Self::Script(script) => script.resume(place).await,
            Self::Claude(claude) => claude.resume(place).await,
        }
    }

    async fn stop(&mut self, place: &Place<'_>) -> Vec<Entry> {
        match self {
            Self::Script(script) => script.stop(place).await,
            Self::Claude(claude) => claude.stop(place).await,
        }
    }

    fn conversation(&self, place: &Place<'_>) -> Option<Conversation> {
        match self {
            Self::Script(script) => script.conversation(place),
            Self::Claude(claude) => claude.conversation(place),
        }
    }

    fn completion(&self) -> Option<Completion> {
        match self {
            Self::Script(script) => script.completion(),
            Self::Claude(claude) => claude.completion(),
        }
    }

    fn usage(&self) -> Option<Usage> {
        match self {
            Self::Script(script) => script.usage(),
            Self::Claude(claude) => claude.usage(),
        }
    }
}
