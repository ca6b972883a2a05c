//! Everything that can run beside everything else: each test has a namespace of its own.

mod agent_runs;
mod archive;
mod bad_input;
mod canaries;
mod causes;
mod chat;
mod chat_input;
mod cli;
mod escalations;
mod gateway;
mod lifecycle;
mod runs_over_rest;
mod script_runs;
mod terminal;
