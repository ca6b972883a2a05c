//! Everything that can run beside everything else: each test has a namespace of its own.

mod agent_runs;
mod agent_state;
mod archive;
mod bad_input;
mod canaries;
mod causes;
mod chat;
mod chat_faults;
mod chat_input;
mod cli;
mod cli_runs;
mod escalations;
mod example;
mod forges;
mod gateway;
mod guide;
mod lifecycle;
mod metrics;
mod models;
mod network;
mod next_attempts;
mod plan_refs;
mod runs_over_rest;
mod script_runs;
mod terminal;
