//! 6d once more, in a real Chromium with the real xterm.js: the model of a tab is held against it.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Plan;
use crate::api_server::{ApiServer, NAMESPACE, uid};
use crate::contender::{Contender, Server};
use crate::gateway::Gateway;
use crate::report::{Limit, Row, Table};
use crate::samples::{figure, median, ratios};
use crate::tools;

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    // A look is enough: the ratio of 6d stands without it.
    let rounds = plan.rounds.min(2);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let ip = tools::own_ip();
        let _pod = Server::start_as(Contender::Fabrica, &uid("tab"), ip)?;
        let api = ApiServer::start(&[("tab".to_owned(), ip)])?;
        let gateway = Gateway::start(&api)?;
        let peer = Server::start(Contender::NodePty)?;
        let output = Command::new("node")
            .arg(tools::sources().join("browser.mjs"))
            .arg(format!("http://{}", gateway.address))
            .arg(format!("/api/v1/namespaces/{NAMESPACE}/sessions/tab/terminal"))
            .arg(format!("ws://{}/", peer.address))
            .output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{errors}");
        let said: Value = serde_json::from_slice(&output.stdout)?;
        eprintln!("  round {round}/{rounds}: {said}");
        for (seen, name) in [(&mut ours, "fabrica"), (&mut theirs, "nodePty")] {
            let number = |field: &str| said[name][field].as_f64().context(name);
            seen.push([number("milliseconds")?, number("megabytes")?, number("backlog")?]);
        }
    }
    let all = |seen: &[[f64; 3]], at: usize| seen.iter().map(|it| it[at]).collect::<Vec<_>>();
    let words = |seen: &[[f64; 3]]| {
        let [time, came, waited] = [0, 1, 2].map(|at| figure(median(&all(seen, at))));
        format!("{time} ms ({came} MB came, {waited} MB waited to be drawn at ^C)")
    };
    table.add(Row {
        id: "6d",
        what: "the same in Chromium with xterm.js, to node-pty".to_owned(),
        values: ratios(&all(&ours, 0), &all(&theirs, 0)),
        unit: "×",
        limit: Limit::None,
        figures: format!(
            "fabrica (through the gateway) {}, node-pty+ws {}",
            words(&ours),
            words(&theirs)
        ),
    });
    Ok(())
}
