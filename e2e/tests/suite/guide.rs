//! The API guide, carried out: what stands in its blocks is run from top to bottom, as a reader would.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::agent_runs::with_repository;
use crate::lifecycle::editor;

const GUIDE: &str = include_str!("../../../docs/user/api.md");
/// It starts six pods and two workflows, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(10);
/// A block that begins so is a file of this name.
const NAMED: &str = "# file: ";

/// A fenced block: its language and what stands in it.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

#[tokio::test]
async fn what_the_api_guide_shows_works() {
    with_repository(|namespace, place| async move {
        let folder = tempfile::tempdir()?;
        let mut script = String::from("set -euo pipefail\n");
        for (language, text) in blocks(GUIDE) {
            let name = text.lines().next().and_then(|line| line.strip_prefix(NAMED));
            match (language.as_str(), name) {
                (_, Some(name)) => tokio::fs::write(folder.path().join(name), &text).await?,
                ("sh", None) => script.push_str(&text),
                _ => {}
            }
        }
        tokio::fs::write(folder.path().join("guide.sh"), &script).await?;
        let path = std::env::var("PATH").context("PATH")?;
        let running = Command::new("bash")
            .args(["-x", "guide.sh"])
            .current_dir(folder.path())
            // What Debian's packages hold: the Python that has aiohttp.
            .env("PATH", format!("/usr/bin:{path}"))
            .env("FABRICA_TOKEN", editor(&namespace).await?)
            .env("NAMESPACE", &namespace.name)
            .env("REPOSITORY", &place.1.url)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, running).await.context("the guide ends")??;
        let (said, traced) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{said}\n{}", without_tokens(&traced));
        ensure!(place.0.pull_requests(&place.1).await?.len() == 3, "{said}");
        Ok(())
    })
    .await;
}

/// A trace shows what was typed, and with it tokens.
fn without_tokens(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.contains("Authorization"));
    lines.collect::<Vec<_>>().join("\n")
}
