//! The dashboard and the alerts: that each is whole, that Prometheus' own tool takes the rules, and that each fires when it
//! should and not otherwise.

use std::collections::BTreeSet;
use std::process::Command;

use fabrica_e2e::helm::{project, text};
use fabrica_e2e::watching::{dashboard, names, queries, rules};
use serde_json::Value;

use crate::{refused, render};

const API: [&str; 2] = ["--api-versions", "monitoring.coreos.com/v1"];

#[track_caller]
fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool").args(arguments).output();
    let output = output.expect("promtool cannot be run: install the Debian package prometheus");
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn the_rules_are_taken_and_fire_when_they_should() {
    promtool(&["check", "rules", &rules().to_string_lossy()]);
    let cases = project().join("e2e/tests/chart/alerts.yaml");
    promtool(&["test", "rules", &cases.to_string_lossy()]);
}

#[test]
fn every_alert_has_its_cases_and_its_page() {
    let page = std::fs::read_to_string(project().join("docs/operations/alerts.md")).unwrap();
    let cases = std::fs::read_to_string(project().join("e2e/tests/chart/alerts.yaml")).unwrap();
    let rules = std::fs::read_to_string(rules()).unwrap();
    let mut alerts = BTreeSet::new();
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap().trim();
        alerts.insert(name);
        let anchor = format!("docs/operations/alerts.md#{}\n", name.to_lowercase());
        assert!(rule.contains(&anchor), "{name} has another runbook than its own");
        assert!(page.contains(&format!("\n## {name}\n")), "{name} has no page");
        for case in ["fires", "is quiet"] {
            assert!(
                cases.contains(&format!("name: {name} {case}\n")),
                "{name} has no case: {case}"
            );
        }
        assert!(rule.contains("severity: ") && rule.contains("summary: "), "{name}");
    }
    let told = page.lines().filter_map(|line| line.strip_prefix("## "));
    assert_eq!(told.collect::<BTreeSet<_>>(), alerts, "pages without an alert");
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard = dashboard().unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let says = |key: &str| panel[key].as_str().is_some_and(|text| !text.is_empty());
        assert!(says("title") && says("description"), "{panel}");
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
    }
}

#[test]
fn the_page_of_metrics_tells_what_dashboard_and_alerts_ask_and_the_other_way_round() {
    let page = std::fs::read_to_string(project().join("docs/operations/metrics.md")).unwrap();
    let told: BTreeSet<_> = names(&page).map(family).collect();
    let mut asked: BTreeSet<_> = BTreeSet::new();
    let shown = queries().unwrap();
    for query in &shown {
        asked.extend(names(&query.expression).map(family));
    }
    let rules = std::fs::read_to_string(rules()).unwrap();
    asked.extend(names(&rules).map(family));
    assert_eq!(told, asked);
}

/// A metric's name without what its series add.
fn family(name: &str) -> &str {
    ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

#[test]
fn what_prometheus_and_grafana_find_is_there_when_it_is_asked_for() {
    let plain = render(&["--set", "crds.install=false"]).unwrap();
    for kind in ["PrometheusRule", "PodMonitor", "name: fabrica-dashboard"] {
        assert!(!plain.contains(kind), "{kind} is there by default");
    }
    let dashboard = render(&[
        "--set",
        "monitoring.dashboard.enabled=true",
        "--show-only",
        "templates/monitoring.yaml",
    ])
    .unwrap();
    assert!(dashboard.contains("grafana_dashboard: \"1\""), "{dashboard}");
    let json = dashboard.split_once("fabrica.json: |\n").unwrap().1;
    let json: Value = serde_json::from_str(json).unwrap();
    assert_eq!(json, self::dashboard().unwrap());
    let values = "monitoring.rules.enabled=true,monitoring.podMonitor.enabled=true,monitoring.rules.runbooks=https://wiki.example/x/";
    let flags = ["--set", values, "--set", "monitoring.rules.labels.release=prometheus"];
    let rules = render(&[&flags[..], &API].concat()).unwrap();
    assert!(rules.contains("release: prometheus"));
    assert!(
        rules.contains("runbook_url: https://wiki.example/x/alerts.md#fabricanoleader"),
        "{rules}"
    );
    assert!(rules.contains("kind: PodMonitor"));
}

#[test]
fn rules_need_their_crd() {
    refused("monitoring.rules.enabled=true", "Prometheus operator");
    refused("monitoring.rules.runbooks=wiki", "/monitoring/rules/runbooks");
}
