//! The page of an object, in the user's browser.

use std::process::Stdio;

use tokio::process::Command;

use crate::target::Target;

/// The page's address.
pub fn address(url: &str, namespace: &str, target: &Target) -> String {
    match target {
        Target::Session(name) => format!("{url}/ns/{namespace}/sessions/{name}"),
        Target::Run(name) => format!("{url}/ns/{namespace}/runs/{name}"),
    }
}

/// Opens a page; whether there was a browser to open it.
pub async fn open(address: &str) -> bool {
    let Some(program) = program(|name| std::env::var(name).ok()) else { return false };
    let started = Command::new(program)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    started.is_ok_and(|status| status.success())
}

/// What opens pages here, if there is a screen for it.
fn program(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(browser) = set("BROWSER") {
        return Some(browser);
    }
    if cfg!(target_os = "macos") {
        return Some("open".to_owned());
    }
    set("WAYLAND_DISPLAY").or_else(|| set("DISPLAY")).map(|_| "xdg-open".to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::chosen(&[("BROWSER", "firefox"), ("DISPLAY", ":0")], Some("firefox"))]
    #[cfg_attr(not(target_os = "macos"), case::screen(&[("DISPLAY", ":0")], Some("xdg-open")))]
    #[cfg_attr(not(target_os = "macos"), case::none(&[("DISPLAY", "")], None))]
    fn a_browser_needs_a_screen(
        #[case] variables: &[(&str, &str)],
        #[case] expected: Option<&str>,
    ) {
        let variable = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(program(variable).as_deref(), expected);
    }

    #[test]
    fn each_object_has_a_page() {
        let page = |target: &str| address("http://g", "demo", &target.parse().unwrap());
        assert_eq!(page("first"), "http://g/ns/demo/sessions/first");
        assert_eq!(page("run/tidy"), "http://g/ns/demo/runs/tidy");
    }
}
