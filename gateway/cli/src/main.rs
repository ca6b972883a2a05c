//! The process of `kubectl fabrica`; everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use fabrica_cli::{command, output};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // A second provider cannot be there yet.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match command::run(command::Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}
