//! The agent's program, with the doors that it talks to.

use std::sync::Arc;

use std::time::Duration;

use fabrica_protocol::run::Autonomy;

use super::desk::Desk;
use super::handle::name;
use super::tools::Tools;
use crate::broker::Broker;
use crate::run::claude::launch::{self, Begin, Doors, Ways};
use crate::run::claude::process::Process;
use crate::run::claude::spending;
use crate::run::driver::Failure;
use crate::run::reading::Reading;

/// The one that there is.
const CLAUDE: &str = "claude";
/// People may take a week to answer; the CLI counts in 32 bits of milliseconds.
const CALL: Duration = Duration::from_hours(7 * 24);

/// Broker, tools and the way to the repository, which outlive the program.
pub(super) struct Agent {
    broker: Arc<Broker>,
    tools: Tools,
    reading: Option<Reading>,
}

impl Agent {
    pub(super) async fn open(desk: &Arc<Desk>) -> Result<Self, Failure> {
        let settings = &desk.chat.settings;
        if settings.driver != CLAUDE {
            let message = format!("A Chat has the driver {CLAUDE}, not {}.", settings.driver);
            return Err(Failure::lasting("DriverUnknown", message));
        }
        launch::find(&desk.config, &settings.agent)?;
        let purse = &desk.chat.purse;
        let broker = Arc::new(spending::open(&settings.agent, purse.spent()).await?);
        purse.open(broker.clone());
        let tools = Tools::start(desk, &broker).await;
        let tools = tools.map_err(|error| failed("The agent's tools cannot be offered", &error))?;
        let reading = Reading::open(&desk.config).await;
        Ok(Self { broker, tools, reading })
    }

    pub(super) fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Starts the program: it begins the conversation, or goes on with it.
    pub(super) fn start(&self, desk: &Desk) -> Result<Process, Failure> {
        let (config, settings) = (&desk.config, &desk.chat.settings.agent);
        let program = launch::find(config, settings)?;
        let no_place = |error| failed("The agent has no place of its own", &error);
        launch::make(config).map_err(no_place)?;
        let id = name(&config.session_id, desk.chat.number, "conversation");
        let is_begun = launch::conversation(config, id).is_begun();
        let begin = if is_begun { Begin::Again(id) } else { Begin::New(id) };
        let doors = Doors {
            model_url: self.broker.url(),
            model_key: self.broker.dummy_key(),
            tools: self.tools.servers(),
            tools_key: self.tools.key(),
            git: self.reading.as_ref().map_or(&[], Reading::variables),
        };
        let plans = desk.autonomy() == Autonomy::DryRun;
        let ways = Ways { rules: include_str!("rules.md"), plans, call: CALL };
        let command = launch::prepare(config, settings, &program, &doors, begin, ways);
        let process = command.and_then(Process::start);
        process.map_err(|error| failed("Claude Code cannot be started", &error))
    }
}

fn failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::passing("AgentFailed", format!("{what}: {error}."))
}
