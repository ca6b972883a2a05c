//! The pull request for the branch that was pushed: what it says, and the step that opens it.

use fabrica_protocol::runtime::EventType;

use super::verdict::Ending;
use crate::config::ForgeConfig;
use crate::forge::{BODY_BYTES, Forge, ForgeError, Proposal, Unknown, WorkItem};
use crate::journal::Journal;
use crate::secrets::Secrets;

const STEP: &str = "pullRequest";
/// The longest title of ours, in characters: as long as a Run's own may be.
const TITLE_CHARACTERS: usize = 200;
/// What a commit and a pull request are called when nobody said.
const UNTITLED: &str = "Fabrica Run";
const NO_BASE: &str = "There is no pull request: the repository had no commits, so there is nothing to compare the branch to.";
const CUT: &str = "\n… (cut)";

/// What was worked on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    /// The Run's UID.
    pub(crate) uid: &'a str,
    /// The title that the Run's spec gives.
    pub(crate) title: Option<&'a str>,
    pub(crate) plan: Option<&'a str>,
    pub(crate) item: Option<&'a WorkItem>,
    /// Cut out before anything is shortened: of one that the end of a text cuts through, nobody would know the rest.
    pub(crate) secrets: &'a Secrets,
}

impl Task<'_> {
    /// One line: the agent's words, the Run's title, the plan's first heading, or the work item's title.
    pub(crate) fn title(&self, told: Option<&str>) -> String {
        let item = self.item.map(|item| item.title.as_str());
        let candidates = [told, self.title, self.plan.and_then(heading), item];
        let clean = |text: &str| line(&self.secrets.redact(text));
        let found = candidates.into_iter().flatten().map(clean).find(|title| !title.is_empty());
        found.unwrap_or_else(|| UNTITLED.to_owned())
    }

    /// The agent's words, else the plan, folded; and whose work it is.
    pub(crate) fn body(&self, told: Option<&str>) -> String {
        let told = told.map(str::trim).filter(|told| !told.is_empty());
        let clean = |text| self.secrets.redact(text);
        let reference = self.item.map(|item| format!("\n\nRefs #{}", item.number));
        let end = format!("{}\n\nFabrica-Run: {}\n", reference.unwrap_or_default(), self.uid);
        let (before, text, after) = match (told, self.plan) {
            (Some(told), _) => ("", clean(told), ""),
            (None, Some(plan)) => (
                "<details>\n<summary>The plan</summary>\n\n",
                quoted(&clean(plan)),
                "\n\n</details>",
            ),
            (None, None) => ("", String::new(), ""),
        };
        let room = BODY_BYTES - before.len() - after.len() - end.len() - CUT.len();
        let kept = &text[..text.floor_char_boundary(room)];
        let note = if kept.len() < text.len() { CUT } else { "" };
        [before, kept, note, after, &end].concat().trim_start().to_owned()
    }
}

/// What a pull request is made of.
pub(crate) struct Change<'a> {
    /// The branch that it is to be merged into; unset: the default one.
    pub(crate) base: Option<&'a str>,
    pub(crate) config: &'a ForgeConfig,
    pub(crate) secrets: &'a Secrets,
    pub(crate) branch: &'a str,
    pub(crate) commit: &'a str,
    /// Whether there is something that the branch can be compared to.
    pub(crate) has_base: bool,
    pub(crate) title: &'a str,
    pub(crate) body: &'a str,
}

/// Opens the pull request; its address, unless there can be none.
pub(crate) async fn open(
    forge: Result<Forge, Unknown>,
    change: &Change<'_>,
    steps: &Journal,
) -> Result<Option<String>, Ending> {
    let forge = match forge {
        Ok(forge) if change.has_base => forge,
        Ok(_) => {
            steps.tell(STEP, EventType::Notice, NO_BASE);
            return Ok(None);
        }
        Err(unknown) => {
            let text = format!("There is no pull request, the branch stands alone: {unknown}.");
            steps.tell(STEP, EventType::Notice, text);
            return Ok(None);
        }
    };
    let step = steps.begin(STEP, "Opening a pull request.");
    // Wherever the words come from.
    let clean = |text| change.secrets.redact(text);
    let (title, body) = (clean(change.title), clean(change.body));
    let proposal = Proposal {
        branch: change.branch,
        base: change.base,
        title: &title,
        body: &body,
        draft: change.config.draft,
    };
    match forge.open(&proposal).await {
        Ok(None) => {
            step.finish(NO_BASE);
            Ok(None)
        }
        Ok(Some(opened)) => {
            for text in label(&forge, opened.number, &change.config.labels).await {
                step.notice(text);
            }
            step.finish(format!("The pull request is {}.", opened.url));
            Ok(Some(opened.url))
        }
        Err(error) => {
            step.fail(error.to_string());
            Err(change.failed(&error))
        }
    }
}

impl Change<'_> {
    fn failed(&self, error: &ForgeError) -> Ending {
        Ending::PullRequest {
            branch: self.branch.to_owned(),
            commit: self.commit.to_owned(),
            words: error.to_string(),
            again: error.may_pass(),
        }
    }
}

/// Gives the labels; what is to be told of those that are missing. A pull request without them is one all the same.
async fn label(forge: &Forge, number: u64, labels: &[String]) -> Vec<String> {
    if labels.is_empty() {
        return Vec::new();
    }
    match forge.label(number, labels).await {
        Ok(missing) => missing
            .iter()
            .map(|label| {
                format!("The repository has no label {label}, so the pull request has not.")
            })
            .collect(),
        Err(error) => vec![format!("The pull request has no labels: {error}")],
    }
}

/// The text of the first heading.
fn heading(plan: &str) -> Option<&str> {
    plan.lines().find_map(|line| {
        let text = line.trim().trim_start_matches('#');
        (line.starts_with('#') && text.starts_with(' ')).then(|| text.trim_end_matches('#').trim())
    })
}

/// As one bounded line.
fn line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|character: char| character.is_whitespace() || character.is_control()).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(TITLE_CHARACTERS).collect()
}

fn quoted(text: &str) -> String {
    let lines: Vec<String> =
        text.trim().lines().map(|line| format!("> {line}").trim_end().to_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::sync::LazyLock;

    use rstest::rstest;

    use super::*;

    const SECRET: &str = "hunter-2-and-3";

    fn item() -> WorkItem {
        let (title, body) = ("Mend\nthe door".to_owned(), "It squeaks.".to_owned());
        WorkItem { number: 12, title, body, is_closed: false }
    }

    fn task<'a>(
        title: Option<&'a str>,
        plan: Option<&'a str>,
        item: Option<&'a WorkItem>,
    ) -> Task<'a> {
        static SECRETS: LazyLock<Secrets> =
            LazyLock::new(|| Secrets::new(None, [SECRET.to_owned()]));
        Task { uid: "u", title, plan, item, secrets: &SECRETS }
    }

    #[rstest]
    #[case::title(TITLE_CHARACTERS - 4)]
    #[case::body(BODY_BYTES - 35)]
    fn no_part_of_a_secret_is_left_where_a_text_is_cut(#[case] before: usize) {
        let told = format!("{}{SECRET} and more", "x".repeat(before));
        let task = task(None, None, None);
        for text in [task.title(Some(&told)), task.body(Some(&told))] {
            assert!(!text.contains(&SECRET[..4]), "{}", &text[text.len() - 120..]);
        }
    }

    #[rstest]
    #[case(Some("Do it"), Some("# Plan"), "Do it")]
    #[case(None, Some("words\n\n## The  plan ##\n# Other"), "The plan")]
    #[case(None, Some("#12 is no heading\n#\n"), "Mend the door")]
    #[case(Some(" \n"), None, "Mend the door")]
    fn titles_come_from_whoever_is_nearest(
        #[case] title: Option<&str>,
        #[case] plan: Option<&str>,
        #[case] expected: &str,
    ) {
        let item = item();
        assert_eq!(task(title, plan, Some(&item)).title(None), expected);
        let alone = task(title, plan, None).title(None);
        assert!(alone == expected || alone == UNTITLED);
        assert_eq!(task(title, plan, None).title(Some("Done\n")), "Done");
    }

    #[test]
    fn bodies_say_what_was_done_and_whose_work_it_is() {
        let item = item();
        let plan = Some("# T\n\n```sh\nx\n```\n");
        assert_eq!(
            task(None, plan, None).body(None),
            "<details>\n<summary>The plan</summary>\n\n> # T\n>\n> ```sh\n> x\n> ```\n\n</details>\n\nFabrica-Run: u\n"
        );
        assert_eq!(task(None, plan, None).body(Some(" Done. ")), "Done.\n\nFabrica-Run: u\n");
        assert_eq!(task(None, None, Some(&item)).body(Some("")), "Refs #12\n\nFabrica-Run: u\n");
    }

    proptest! {
        #[test]
        fn every_body_fits_and_names_its_run(text in "[a\né]{0,40}", times in 0_usize..4000, told in any::<bool>()) {
            let text = text.repeat(times);
            let task = task(None, Some(&text), None);
            let body = task.body(told.then_some(&text));
            prop_assert!(body.len() <= BODY_BYTES);
            prop_assert!(body.ends_with("Fabrica-Run: u\n"));
        }
    }
}
