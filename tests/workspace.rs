//! Who may use whom among our crates: the table of ARCHITECTURE.md, held to by cargo's own words.

#![expect(clippy::unwrap_used, reason = "tests: what cannot be read fails them")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Each of our crates, and which of ours it may use. Nobody may use the end-to-end tests.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("fabrica-crds", &[]),
    ("fabrica-protocol", &[]),
    ("fabrica-telemetry", &[]),
    // Tests of these three want a database of their own.
    ("fabrica-store", &["fabrica-protocol", "fabrica-test-database"]),
    (
        "fabrica-operator",
        &[
            "fabrica-crds",
            "fabrica-protocol",
            "fabrica-store",
            "fabrica-telemetry",
            "fabrica-test-database",
        ],
    ),
    (
        "fabrica-gateway",
        &[
            "fabrica-crds",
            "fabrica-protocol",
            "fabrica-store",
            "fabrica-telemetry",
            "fabrica-test-database",
            "fabrica-test-network",
        ],
    ),
    ("fabrica-test-database", &["fabrica-store"]),
    ("fabrica-cli", &["fabrica-crds", "fabrica-protocol", "fabrica-test-network"]),
    // Its tests ask the scripted model.
    ("fabrica-runtime", &["fabrica-protocol", "fabrica-model-api", "fabrica-test-network"]),
    ("fabrica-model-api", &[]),
    ("fabrica-test-network", &[]),
    // The emulator is measured in the bench itself.
    ("fabrica-peers", &["fabrica-protocol", "fabrica-runtime"]),
    (
        "fabrica-e2e",
        &[
            "fabrica-crds",
            "fabrica-protocol",
            "fabrica-store",
            "fabrica-operator",
            "fabrica-gateway",
            "fabrica-runtime",
            "fabrica-cli",
            "fabrica-model-api",
            "fabrica-test-database",
            "fabrica-test-network",
        ],
    ),
];

/// What runs in pods, which are not trusted: nothing there speaks to the API server.
const IN_PODS: [&str; 2] = ["fabrica-runtime", "fabrica-protocol"];

/// The folders with what reads variables, and the page that tells them all.
const READERS: [&str; 4] = ["src", "gateway/src", "gateway/cli/src", "images/runtime/src"];
const VARIABLES: &str = include_str!("../docs/deployment/environment.md");

/// What every crate of the workspace names as a dependency, of any kind.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |object: &Value| object["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let used = package["dependencies"].as_array().unwrap();
            (name(package), used.iter().map(name).collect())
        })
        .collect()
}

#[test]
fn every_crate_has_its_place() {
    let crates: BTreeSet<_> = dependencies().into_keys().collect();
    let placed: BTreeSet<_> = MAY_USE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(crates, placed, "a crate that comes or goes does so in ARCHITECTURE.md too");
}

#[test]
fn crates_use_those_below_them_alone() {
    let dependencies = dependencies();
    let ours: BTreeSet<_> = MAY_USE.iter().map(|(name, _)| *name).collect();
    for (user, allowed) in MAY_USE {
        for used in &dependencies[user] {
            let fine = !ours.contains(used.as_str()) || allowed.contains(&used.as_str());
            assert!(fine, "{user} must not use {used}");
        }
    }
}

#[test]
fn what_runs_in_pods_knows_no_kubernetes() {
    let dependencies = dependencies();
    for user in IN_PODS {
        for used in &dependencies[user] {
            assert!(!used.starts_with("kube") && !used.starts_with("k8s"), "{user} uses {used}");
        }
    }
}

/// Every variable of ours that a source names between quotes, but for beginnings of names.
fn variables(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            variables(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let words = text.split('"').filter(|word| {
                let letters = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
                letters && word.starts_with("FABRICA_") && !word.ends_with('_')
            });
            found.extend(words.map(str::to_owned));
        }
    }
}

/// Pages that say which file holds what they tell.
const HELD: [&str; 4] = [
    "ARCHITECTURE.md",
    "docs/developer/README.md",
    "docs/developer/reconnect.md",
    "docs/service-boundaries.md",
];

/// What no page tells of.
const MADE: [&str; 4] = [".git", "build", "node_modules", "target"];

fn files(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            found.push(path.to_string_lossy().into_owned());
        } else if !MADE.iter().any(|made| path.ends_with(made)) {
            files(&path, found);
        }
    }
}

#[test]
fn pages_about_the_code_name_files_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut there = Vec::new();
    files(root, &mut there);
    for page in HELD {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let is_file = |word: &&str| {
            let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"/._-".contains(&it);
            let is_code = [".rs", ".ts", ".tsx", ".sql"].iter().any(|end| word.ends_with(end));
            is_code && word.contains('/') && word.bytes().all(is_plain)
        };
        let named: BTreeSet<_> = text.split('`').filter(is_file).collect();
        assert!(named.len() > 5, "{page}: {named:?}");
        // A table's first line may say which folder its names are in.
        let is_there = |name: &str| there.iter().any(|path| path.ends_with(&format!("/{name}")));
        let missing: Vec<_> = named.iter().filter(|name| !is_there(name)).collect();
        assert!(missing.is_empty(), "{page} names {missing:?}");
    }
}

#[test]
fn the_page_of_variables_tells_every_one() {
    let mut found = BTreeSet::new();
    for folder in READERS {
        variables(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    // Made up by tests.
    found.remove("FABRICA_CREDENTIAL_OTHER");
    assert!(found.len() > 50, "{found:?}");
    let missing: Vec<_> =
        found.iter().filter(|name| !VARIABLES.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/deployment/environment.md does not tell {missing:?}");
}

/// Where the fuzz targets of a crate are, with the inputs that are kept of them.
const FUZZED: [&str; 2] = ["gateway/protocol", "images/runtime"];

fn stems(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn what_the_fuzzer_found_is_replayed_by_every_test_run() {
    for place in FUZZED {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
        let targets = stems(&place.join("fuzz/fuzz_targets"));
        assert_eq!(targets, stems(&place.join("fuzz/corpus")), "{}", place.display());
        let replay = std::fs::read_to_string(place.join("tests/corpus.rs")).unwrap();
        for target in &targets {
            let case = format!("#[case(\"{target}\", targets::{target})]");
            assert!(replay.contains(&case), "{} does not replay {target}", place.display());
        }
    }
}
