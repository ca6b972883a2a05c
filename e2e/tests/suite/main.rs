//! Everything that can run beside everything else: each test has a namespace of its own.

mod bad_input;
mod causes;
mod gateway;
mod lifecycle;
mod runs;
mod terminal;
