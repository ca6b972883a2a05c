//! What watches over Fabrica: the queries of its dashboard and alerts, and a real Prometheus to ask.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use fabrica_test_network::own_address;
use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::eventually;
use crate::helm::project;

/// What Grafana puts in for `$__rate_interval`, where a test does.
const RATE_INTERVAL: &str = "1m";

/// A query, and who asks it.
#[derive(Debug, Clone)]
pub struct Query {
    pub owner: String,
    pub expression: String,
}

/// The rules' file.
pub fn rules() -> std::path::PathBuf {
    project().join("charts/fabrica/rules/fabrica.yaml")
}

/// The dashboard.
pub fn dashboard() -> Result<Value> {
    let text = std::fs::read_to_string(project().join("charts/fabrica/dashboards/fabrica.json"))?;
    Ok(serde_json::from_str(&text)?)
}

/// Every query of the dashboard, as Grafana would send it.
pub fn queries() -> Result<Vec<Query>> {
    let dashboard = dashboard()?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    let targets = panels.iter().flat_map(|panel| {
        let of = |target: &Value| Query {
            owner: panel["title"].as_str().unwrap_or_default().to_owned(),
            expression: target["expr"]
                .as_str()
                .unwrap_or_default()
                .replace("$__rate_interval", RATE_INTERVAL),
        };
        panel["targets"].as_array().into_iter().flatten().map(of).collect::<Vec<_>>()
    });
    Ok(targets.collect())
}

/// The names of our metrics in a text.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.split(move |letter| !is_part(letter)).filter(|word| word.starts_with("fabrica_"))
}

/// A Prometheus of a test's own; it ends with it.
#[derive(Debug)]
pub struct Prometheus {
    process: Child,
    url: String,
    http: reqwest::Client,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one with this configuration. Debian's package `prometheus` brings it.
    pub async fn start(configuration: &Value) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("prometheus.json");
        std::fs::write(&file, configuration.to_string())?;
        let address = own_address();
        let log = std::fs::File::create(folder.path().join("log"))?;
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("prometheus cannot be run: install the Debian package prometheus")?;
        let (url, http) = (format!("http://{address}"), reqwest::Client::new());
        let prometheus = Self { process, url, http, _folder: folder };
        eventually("Prometheus is ready", || async {
            let ready = format!("{}/-/ready", prometheus.url);
            let answer = prometheus.http.get(ready).send().await;
            Ok(answer.is_ok_and(|answer| answer.status().is_success()).then_some(()))
        })
        .await?;
        Ok(prometheus)
    }

    /// What it answers on a path of its API.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let url = reqwest::Url::parse_with_params(&format!("{}/api/v1/{path}", self.url), query)?;
        let text = self.http.get(url).send().await?.text().await?;
        let answer: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        ensure!(answer["status"] == "success", "{path} {query:?}: {text}");
        Ok(answer["data"].clone())
    }

    /// The series that a query gives now, with their values.
    pub async fn query(&self, expression: &str) -> Result<Vec<(Value, f64)>> {
        let answer = self.get("query", &[("query", expression)]).await?;
        let series = answer["result"].as_array().context("a result")?;
        let value = |series: &Value| {
            let text = series["value"][1].as_str().context("a value")?;
            Ok((series["metric"].clone(), text.parse()?))
        };
        series.iter().map(value).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Nothing of it is kept.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
