//! A plan as people write it down: markdown with YAML front matter that says where it is carried out.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_saphyr::Spanned;

use crate::problem::{DUPLICATE_FIELD, FieldError};

/// The longest front matter: its fields are far shorter.
const FRONT_MATTER_BYTES: usize = 16 * 1024;

/// The longest title, as the CRD has it. A heading may be longer and is then cut.
const TITLE_CHARACTERS: usize = 200;

/// The title when neither the front matter nor a heading gives one.
const UNTITLED: &str = "Untitled";

/// The line that begins and ends the front matter.
const FENCE: &str = "---";

/// A field of the front matter, and where the API server finds its value in the spec.
const FIELDS: [(&str, &str); 7] = [
    ("repo", "spec.repository.url"),
    ("title", "spec.title"),
    ("branch", "spec.branch"),
    ("base", "spec.repository.branch"),
    ("model", "spec.agent.model"),
    ("budgetUSD", "spec.agent.budgetUSD"),
    ("forge", "spec.repository.forge"),
];

/// The forges, as the CRD spells them. People need not.
const FORGES: [&str; 2] = ["GitHub", "Gitea"];

/// One value, and the line of the file that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Placed {
    field: &'static str,
    value: String,
    line: u64,
}

/// A plan and what its front matter says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    fields: Vec<Placed>,
    /// Everything below the front matter.
    pub(super) plan: String,
    /// The line of the file that the plan begins in.
    plan_line: u64,
}

impl Document {
    /// Reads a file. What is wrong is told by field and line, all of it at once.
    pub(super) fn read(text: &str) -> Result<Self, Vec<FieldError>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (front, plan) = split(text).map_err(|message| vec![at(1, "repo", &message)])?;
        if front.len() > FRONT_MATTER_BYTES {
            let message = format!("the front matter is longer than {FRONT_MATTER_BYTES} bytes");
            return Err(vec![at(1, "repo", &message)]);
        }
        let fields = fields(front)?;
        let plan_line = front.lines().count() as u64 + 3;
        let document = Self { fields, plan: plan.trim().to_owned(), plan_line };
        if document.get("repo").is_none() {
            return Err(vec![at(1, "repo", "must be set: the URL of the repository")]);
        }
        if document.plan.is_empty() {
            let message = "must not be empty: write below the front matter what is to be done";
            return Err(vec![at(plan_line, "plan", message)]);
        }
        Ok(document)
    }

    /// The value of a field.
    pub(super) fn get(&self, field: &str) -> Option<&str> {
        self.fields.iter().find(|each| each.field == field).map(|each| each.value.as_str())
    }

    /// The title: the front matter's, else the first heading, else that there is none.
    pub(super) fn title(&self) -> String {
        let heading = || first_heading(&self.plan);
        self.get("title").map(str::to_owned).or_else(heading).unwrap_or_else(|| UNTITLED.to_owned())
    }

    /// What the API server said about the spec, said about the file.
    pub(super) fn translate(&self, error: FieldError) -> FieldError {
        if error.field == "spec.plan" {
            return at(self.plan_line, "plan", &error.message);
        }
        let known = FIELDS.iter().find(|(_, path)| *path == error.field);
        let placed =
            known.and_then(|(field, _)| self.fields.iter().find(|each| each.field == *field));
        match placed {
            Some(placed) => at(placed.line, placed.field, &error.message),
            None => error,
        }
    }
}

/// Whether a text begins as a plan for a new Run does. A line of dashes alone is markdown.
pub(super) fn has_front_matter(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Ok((front, _)) = split(text) else { return false };
    let key = |line: &str| line.split_once(':').map(|(key, _)| key.trim_end().to_owned());
    front.lines().filter_map(key).any(|key| FIELDS.iter().any(|(field, _)| *field == key))
}

fn at(line: u64, field: &str, message: &str) -> FieldError {
    FieldError { field: field.to_owned(), message: format!("line {line}: {message}") }
}

/// The front matter between its fences, and what is below it; or which fence is missing.
fn split(text: &str) -> Result<(&str, &str), String> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if first.trim_end() != FENCE {
        return Err(format!(
            "begin the file with front matter: a line {FENCE}, a line repo: https://…, and a line {FENCE}"
        ));
    }
    let mut start = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == FENCE {
            return Ok((&rest[..start], &rest[start + line.len()..]));
        }
        start += line.len();
    }
    Err(format!(
        "the front matter that begins here has no end: put a line {FENCE} below its fields"
    ))
}

fn fields(front: &str) -> Result<Vec<Placed>, Vec<FieldError>> {
    if front.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Vec::new());
    }
    let options = serde_saphyr::options! { with_snippet: false };
    let Entries(entries) =
        serde_saphyr::from_str_with_options(front, options).map_err(|error| {
            let line = error.location().map_or(1, |location| location.line());
            if let serde_saphyr::Error::DuplicateMappingKey { .. } = error {
                return vec![at(line + 1, field_at(front, line), DUPLICATE_FIELD)];
            }
            let words = error.to_string();
            // It ends in a place of the front matter, and callers count from the file's first line.
            let words = words.lines().next().and_then(|line| line.split(" at line ").next());
            let words = words.unwrap_or_default();
            vec![at(line + 1, field_at(front, line), &format!("cannot be read: {words}"))]
        })?;
    let mut fields = Vec::new();
    let mut mistakes = Vec::new();
    for (key, value) in entries {
        let line = key.referenced.line() + 1;
        match FIELDS.iter().find(|(field, _)| *field == key.value) {
            Some((field, _)) if value.is_empty() => {
                mistakes.push(at(line, field, "must not be empty; set it or remove the line"));
            }
            Some((field, _)) => match spelled(field, value) {
                Ok(value) => fields.push(Placed { field, value, line }),
                Err(message) => mistakes.push(at(line, field, &message)),
            },
            None => {
                let names = FIELDS.map(|(field, _)| field).join(", ");
                let message = format!("this field does not exist; there are {names}");
                mistakes.push(at(line, &key.value, &message));
            }
        }
    }
    if mistakes.is_empty() { Ok(fields) } else { Err(mistakes) }
}

/// A value as the CRD spells it, or what is wrong with it.
fn spelled(field: &str, value: String) -> Result<String, String> {
    match field {
        "forge" => {
            let known = FORGES.iter().find(|forge| forge.eq_ignore_ascii_case(&value));
            let wrong = || format!("must be {}", FORGES.join(" or "));
            known.map(|forge| (*forge).to_owned()).ok_or_else(wrong)
        }
        // The CRD's words want quotes, which only a spec needs.
        "budgetUSD" if !is_budget(&value) => Err(
            "must be a decimal number above 0, with at most 6 digits before the point and 4 behind it, such as 2.50"
                .to_owned(),
        ),
        _ => Ok(value),
    }
}

/// Whether the CRD takes it as a budget.
fn is_budget(value: &str) -> bool {
    let (whole, part) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    digits(whole, 6) && digits(part, 4) && value.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

/// The key that a line of the front matter belongs to: the one on it, else the one before it.
fn field_at(front: &str, line: u64) -> &str {
    let until = usize::try_from(line).unwrap_or(usize::MAX);
    let lines: Vec<&str> = front.lines().take(until).collect();
    let begins = lines.iter().rev().find(|line| !line.starts_with([' ', '\t', '-', '#']));
    begins.and_then(|line| line.split_once(':')).map_or("repo", |(key, _)| key.trim())
}

/// The entries of a mapping in their order, keys with their places.
struct Entries(Vec<(Spanned<String>, String)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("lines such as repo: https://git.example.com/team/project")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<_, Option<String>>()? {
                    entries.push((key, value.unwrap_or_default()));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

/// The words of the first heading that is not in a block of code.
fn first_heading(plan: &str) -> Option<String> {
    let mut fence: Option<&str> = None;
    for line in plan.lines() {
        let text = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| text.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => {
                let words = text.trim_start_matches('#');
                let depth = text.len() - words.len();
                let title = words.trim().trim_end_matches('#').trim_end();
                if (1..=6).contains(&depth) && words.starts_with([' ', '\t']) && !title.is_empty() {
                    let words = title.chars().filter(|each| !each.is_control());
                    return Some(words.take(TITLE_CHARACTERS).collect());
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[test]
    fn reads_fields_and_leaves_the_plan() {
        let text = "---\n# where\nrepo: https://git.example.com/a # the shop\ntitle: \"Fix: rounding\"\nbase: 2026\n---\n\n# Plan\n";
        let document = Document::read(text).unwrap();
        assert_eq!(document.get("repo"), Some("https://git.example.com/a"));
        assert_eq!(document.get("base"), Some("2026"));
        assert_eq!(
            (document.title().as_str(), document.plan.as_str()),
            ("Fix: rounding", "# Plan")
        );
        let error = |field: &str| FieldError { field: field.to_owned(), message: "no".to_owned() };
        assert_eq!(document.translate(error("spec.repository.url")), at(3, "repo", "no"));
        assert_eq!(document.translate(error("spec.plan")), at(7, "plan", "no"));
        assert_eq!(document.translate(error("spec.agent")), error("spec.agent"));
    }

    #[rstest]
    #[case("github", "GitHub")]
    #[case("GITEA", "Gitea")]
    fn a_forge_is_known_in_any_case(#[case] written: &str, #[case] forge: &str) {
        let text = format!("---\nrepo: x\nforge: {written}\nbudgetUSD: 2.50\n---\nx");
        let document = Document::read(&text).unwrap();
        assert_eq!((document.get("forge"), document.get("budgetUSD")), (Some(forge), Some("2.50")));
    }

    #[test]
    fn the_example_can_be_read() {
        let text = include_str!("../../../../crds/examples/plan.md");
        let document = Document::read(text).unwrap();
        assert_eq!(document.title(), "Add one and two");
    }

    #[rstest]
    #[case("# Plan", "repo", "line 1: begin the file")]
    #[case("---\nrepo: x\n# Plan", "repo", "line 1: the front matter that begins here has no end")]
    #[case("---", "repo", "line 1: the front matter that begins here has no end")]
    #[case(
        "---\nrepo: x\nbudgetUSD: 0\n---\nx",
        "budgetUSD",
        "line 3: must be a decimal number above 0"
    )]
    #[case(
        "---\nrepo: x\nbudgetUSD: 2.\n---\nx",
        "budgetUSD",
        "line 3: must be a decimal number above 0"
    )]
    #[case("---\n---\nx", "repo", "line 1: must be set")]
    #[case("---\nrepo: x\n---\n \n", "plan", "line 4: must not be empty")]
    #[case("---\nrepo: x\ncolour: red\n---\nx", "colour", "line 3: this field does not exist")]
    #[case("---\nrepo: x\nforge: gitlab\n---\nx", "forge", "line 3: must be GitHub or Gitea")]
    #[case("---\nrepo: x\ntitle:\n---\nx", "title", "line 3: must not be empty")]
    #[case("---\nrepo: x\ntitle: [a]\n---\nx", "title", "line 3: cannot be read")]
    #[case("---\nrepo: x\nrepo: y\n---\nx", "repo", "line 3: this field stands here twice")]
    #[case("---\nrepo: x\ntitle: \"a\n---\nx", "title", "line 4: cannot be read")]
    #[case("---\njust words\n---\nx", "repo", "line 2: cannot be read")]
    fn tells_line_and_field(#[case] text: &str, #[case] field: &str, #[case] message: &str) {
        let errors = Document::read(text).unwrap_err();
        assert_eq!(errors[0].field, field, "{errors:?}");
        assert!(errors[0].message.starts_with(message), "{errors:?}");
    }

    #[rstest]
    #[case("---\nrepo: x\n---\n# Plan", true)]
    #[case("\u{feff}---\n# where\ncolour: red\ntitle: y\n---\n", true)]
    #[case("# Plan\n\n---\nrepo: x\n---\n", false)]
    #[case("---\nA line above.\n---\n", false)]
    #[case("---\nrepo: x", false)]
    fn front_matter_is_known_by_its_fields(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(has_front_matter(text), expected);
    }

    #[rstest]
    #[case("intro\n\n## Fix the shop ##\n", "Fix the shop")]
    #[case("```sh\n# a comment\n```\n# After", "After")]
    #[case("~~~\n```\n# no\n~~~\n# Yes", "Yes")]
    #[case("#hashtag\n####### seven\n#", "Untitled")]
    fn finds_a_title(#[case] plan: &str, #[case] expected: &str) {
        let text = format!("---\nrepo: x\n---\n{plan}");
        assert_eq!(Document::read(&text).unwrap().title(), expected);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(---\n)?(\\PC|\n){0,200}(\n---\n)?(\\PC|\n){0,100}") {
            if let Err(errors) = Document::read(&text) {
                prop_assert!(errors.iter().all(|error| error.message.starts_with("line ")));
            }
        }
    }
}
