//! Least privilege, proved by use: after the other tests ran, the API server's audit log must show every verb that
//! our ServiceAccounts were granted. Runs last.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use fabrica_e2e::Cluster;
use fabrica_e2e::cluster::SYSTEM_NAMESPACE;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::Api;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

/// What one may do: API group, resource with subresource, verb.
type Right = (String, String, String);

#[tokio::test]
async fn the_operator_uses_every_verb_it_has() {
    check("fabrica-operator").await.unwrap();
}

#[tokio::test]
async fn the_gateway_uses_every_verb_it_has() {
    check("fabrica-gateway").await.unwrap();
}

async fn check(account: &str) -> Result<()> {
    let cluster = Cluster::connect().await?;
    let granted = granted(&cluster, account).await?;
    ensure!(!granted.is_empty(), "{account} has no rights: is the chart installed?");
    let secrets: Vec<_> = granted
        .iter()
        .filter(|(_, resource, verb)| resource == "secrets" && verb == "list")
        .collect();
    ensure!(secrets.is_empty(), "{account} may list Secrets");
    let used = used(account).await?;
    let unused: Vec<_> = granted.difference(&used).collect();
    ensure!(unused.is_empty(), "{account} was granted what the tests never used: {unused:#?}");
    Ok(())
}

async fn granted(cluster: &Cluster, account: &str) -> Result<BTreeSet<Right>> {
    let wide: Api<ClusterRole> = Api::all(cluster.client.clone());
    let narrow = cluster.api::<Role>(SYSTEM_NAMESPACE);
    let mut rules = wide.get(account).await?.rules.unwrap_or_default();
    if let Some(role) = narrow.get_opt(account).await? {
        rules.extend(role.rules.unwrap_or_default());
    }
    Ok(rules.iter().flat_map(rights).collect())
}

fn rights(rule: &PolicyRule) -> Vec<Right> {
    let mut all = Vec::new();
    for group in rule.api_groups.iter().flatten() {
        for resource in rule.resources.iter().flatten() {
            for verb in &rule.verbs {
                all.push((group.clone(), resource.clone(), verb.clone()));
            }
        }
    }
    all
}

/// What the account really did, by the audit log that `FABRICA_AUDIT_LOG` names.
async fn used(account: &str) -> Result<BTreeSet<Right>> {
    let path = std::env::var("FABRICA_AUDIT_LOG").context(
        "FABRICA_AUDIT_LOG is not set: only the cluster of `make up` keeps an audit log",
    )?;
    let user = format!("system:serviceaccount:{SYSTEM_NAMESPACE}:{account}");
    let file = tokio::fs::File::open(&path).await.with_context(|| path.clone())?;
    let mut lines = BufReader::new(file).lines();
    let mut seen = BTreeSet::new();
    while let Some(line) = lines.next_line().await? {
        if !line.contains(&user) {
            continue;
        }
        let event: Value = serde_json::from_str(&line)?;
        if event["user"]["username"] == user.as_str() {
            let (group, resource, verb) = right(&event);
            // An apply that made the object needed the right to create it, too.
            if verb == "patch" && event["responseStatus"]["code"] == 201 {
                seen.insert((group.clone(), resource.clone(), "create".to_owned()));
            }
            seen.insert((group, resource, verb));
        }
    }
    Ok(seen)
}

fn right(event: &Value) -> Right {
    let reference = &event["objectRef"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let resource = match reference["subresource"].as_str() {
        Some(subresource) => format!("{}/{subresource}", text(&reference["resource"])),
        None => text(&reference["resource"]),
    };
    (text(&reference["apiGroup"]), resource, text(&event["verb"]))
}
