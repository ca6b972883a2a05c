//! `make push`, in a clone of the scripts that it runs: buildah is a stand-in that writes down what it is asked, so what is
//! seen is which references would be pushed, and how. What a registry makes of them is buildah's.

#![expect(clippy::unwrap_used, reason = "tests: what cannot be made fails them")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rstest::rstest;
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// What the image of an archive is called once it is pulled.
const BUILDAH: &str = r#"#!/usr/bin/env bash
while [[ $1 == --* ]]; do shift 2; done
case $1 in
  pull) echo "image-of-${3##*/}" ;;
  push) echo "${@:3}" >>"$PUSHED" ;;
esac
"#;
/// Mount namespaces are not for every machine that tests.
const UNSHARE: &str = "#!/usr/bin/env bash\nshift\nexec \"$@\"\n";
/// Stands where images are built: each has something that its tag is made of.
const IMAGES: &str = r#"#!/usr/bin/env bash
source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"
for name in "${PRODUCT_IMAGES[@]}"; do
  mkdir -p "$(image_context "$name")"
  echo "$name" >"$(image_context "$name")/Dockerfile"
done
echo "$PROFILE" >"$BUILD/profile"
"#;

fn script(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

fn clone() -> TempDir {
    let clone = tempfile::tempdir().unwrap();
    let place = clone.path();
    std::fs::create_dir_all(place.join("charts/fabrica")).unwrap();
    for file in ["Makefile", "charts/fabrica/Chart.yaml"] {
        std::fs::copy(Path::new(ROOT).join(file), place.join(file)).unwrap();
    }
    let text = |file: &str| std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
    script(&place.join("e2e/cluster/push"), &text("e2e/cluster/push"));
    for file in std::fs::read_dir(Path::new(ROOT).join("e2e/cluster/lib")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let path = format!("e2e/cluster/lib/{name}");
        script(&place.join(&path), &text(&path));
    }
    script(&place.join("e2e/cluster/images"), IMAGES);
    script(&place.join("bin/buildah"), BUILDAH);
    script(&place.join("bin/unshare"), UNSHARE);
    clone
}

/// What is pushed, and what is said when it is refused.
fn push(words: &[&str]) -> Result<Vec<String>, String> {
    let clone = clone();
    let (place, pushed) = (clone.path(), clone.path().join("pushed"));
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("make")
        .arg("push")
        .args(words)
        .current_dir(place)
        .env("PATH", format!("{}:{path}", place.join("bin").display()))
        .env("PUSHED", &pushed)
        .env_remove("PROFILE")
        .env_remove("IMAGE_REGISTRY")
        .env_remove("IMAGE_TAGS")
        .env_remove("IMAGES")
        .env_remove("MAKEFLAGS")
        .output()
        .unwrap();
    if !output.status.success() {
        assert!(!pushed.exists(), "something was pushed all the same");
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    let profile = std::fs::read_to_string(place.join("build/profile")).unwrap();
    assert_eq!(profile, "release\n", "what is published is built for it");
    Ok(std::fs::read_to_string(pushed).unwrap().lines().map(str::to_owned).collect())
}

/// Without the hash of the archive's content.
fn told(lines: &[String]) -> Vec<String> {
    let told = |line: &String| {
        let [tls, image, target] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let (name, hash) = image.strip_suffix(".tar").unwrap().rsplit_once('-').unwrap();
        assert_eq!(hash.len(), 12, "{line}");
        format!("{tls} {name} {target}")
    };
    lines.iter().map(told).collect()
}

#[test]
fn named_images_go_to_the_registry_under_each_tag() {
    let lines = push(&[
        "IMAGE_REGISTRY=registry.example.com/fabrica",
        "IMAGE_TAGS=2026.11 latest",
        "IMAGES=operator gateway",
    ])
    .unwrap();
    let line = |name: &str, tag: &str| {
        format!(
            "--tls-verify=true image-of-{name} docker://registry.example.com/fabrica/{name}:{tag}"
        )
    };
    let expected = [
        line("operator", "2026.11"),
        line("operator", "latest"),
        line("gateway", "2026.11"),
        line("gateway", "latest"),
    ];
    assert_eq!(told(&lines), expected);
}

#[test]
fn all_images_go_under_the_tag_that_the_chart_pulls() {
    let chart = std::fs::read_to_string(Path::new(ROOT).join("charts/fabrica/Chart.yaml")).unwrap();
    let version = chart.lines().find_map(|line| line.strip_prefix("appVersion: ")).unwrap();
    let version = version.trim_matches('"');
    let lines = push(&["IMAGE_REGISTRY=localhost:5000"]).unwrap();
    let names = ["operator", "gateway", "runtime", "terminal", "faber", "database"];
    let line = |name: &str| {
        format!("--tls-verify=false image-of-{name} docker://localhost:5000/{name}:{version}")
    };
    assert_eq!(told(&lines), names.map(line));
}

#[rstest]
#[case::nowhere(&[], "say where to: make push IMAGE_REGISTRY=")]
#[case::unknown(&["IMAGE_REGISTRY=localhost:5000", "IMAGES=operator nobody"], "there is no image nobody")]
fn what_makes_no_sense_is_refused_before_anything_is_built(
    #[case] words: &[&str],
    #[case] why: &str,
) {
    let error = push(words).unwrap_err();
    assert!(error.contains(why), "{error}");
}
