//! Every rule of the schema, both ways, by the same CEL that the API server evaluates; the end-to-end suite proves the
//! rest on a real one.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "tests: calls read like manifests"
)]

#[path = "rules/agent.rs"]
mod agent;

use fabrica_crds::{Run, Session};
use kube::CustomResourceExt;
use rstest::rstest;
use serde_json::{Value, json};

fn session(spec: Value) -> Value {
    json!({"apiVersion": "fabrica.dev/v1alpha1", "kind": "Session",
        "metadata": {"name": "one", "namespace": "demo"}, "spec": spec})
}

/// A Run that has what every Run needs, and these fields.
fn run(fields: Value) -> Value {
    let mut spec = json!({"plan": "# Do it", "repository": {"url": "https://host/x"}});
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    // As the API server defaults and prunes: null is absent.
    spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json!({"apiVersion": "fabrica.dev/v1alpha1", "kind": "Run",
        "metadata": {"name": "one", "namespace": "demo"}, "spec": spec})
}

/// The messages of the rules that the object breaks, when created or, with `before`, when changed.
fn broken(object: &Value, before: Option<&Value>) -> Vec<String> {
    macro_rules! outcome {
        ($kind:ty) => {{
            let parse = |object: &Value| serde_json::from_value::<$kind>(object.clone()).unwrap();
            match before {
                None => parse(object).validate_cel(),
                Some(before) => parse(object).validate_cel_update(&parse(before)),
            }
        }};
    }
    let outcome = if object["kind"] == "Run" { outcome!(Run) } else { outcome!(Session) };
    outcome.err().map(|errors| errors.to_string()).into_iter().collect()
}

#[rstest]
#[case::ssh(json!({"repository": {"url": "ssh://host/x"}}), "repository.url must begin with http")]
#[case::user(json!({"repository": {"url": "https://me:pw@host/x"}}), "secretRef")]
#[case::space(json!({"repository": {"url": "https://host/a b"}}), "spaces")]
#[case::double_dot(json!({"repository": {"url": "https://h/x", "branch": "a..b"}}), "branch")]
#[case::tilde(json!({"repository": {"url": "https://h/x", "branch": "a~b"}}), "branch")]
#[case::bracket(json!({"repository": {"url": "https://h/x", "branch": "a[b"}}), "branch")]
#[case::backslash(json!({"repository": {"url": "https://h/x", "branch": "a\\b"}}), "branch")]
#[case::newline(json!({"repository": {"url": "https://h/x", "branch": "a\nb"}}), "branch")]
#[case::lock(json!({"repository": {"url": "https://h/x", "branch": "a.lock"}}), ".lock")]
#[case::hidden_part(json!({"repository": {"url": "https://h/x", "branch": "a/.b"}}), "branch")]
#[case::option(json!({"repository": {"url": "https://h/x", "branch": "-x"}}), "branch")]
#[case::suspended(json!({"operatingMode": "Suspended"}), "needs spec.workspace")]
#[case::idle(json!({"idleTimeoutSeconds": 60}), "needs spec.workspace")]
#[case::our_label(json!({"podTemplate": {"labels": {"fabrica.dev/mode": "x"}}}), "podTemplate")]
#[case::kubernetes_label(json!({"podTemplate": {"labels": {"app.kubernetes.io/name": "x"}}}), "podTemplate")]
#[case::our_annotation(json!({"podTemplate": {"annotations": {"fabrica.dev/x": "x"}}}), "podTemplate")]
#[case::two_values(json!({"env": [{"name": "A", "value": "x", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}), "exactly one")]
#[case::no_value(json!({"env": [{"name": "A"}]}), "exactly one")]
#[case::no_source(json!({"env": [{"name": "A", "valueFrom": {}}]}), "exactly one")]
#[case::bad_variable(json!({"env": [{"name": "a-b", "value": "x"}]}), "env.name")]
#[case::reserved(json!({"env": [{"name": "SESSION_ID", "value": "x"}]}), "Fabrica sets them")]
fn a_broken_rule_names_field_and_fix(#[case] spec: Value, #[case] mentions: &str) {
    let messages = broken(&session(spec), None);
    assert!(messages.iter().any(|message| message.contains(mentions)), "{messages:?}");
}

/// A Chat that has what every Chat needs, and these fields.
fn chat(fields: Value) -> Value {
    let mut spec =
        json!({"mode": "Chat", "workId": "12", "repository": {"url": "https://host/team/app"}});
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    // As the API server defaults and prunes: null is absent.
    spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    session(spec)
}

#[rstest]
#[case::no_work_item(json!({"workId": null}), "spec.workId is required in mode Chat with workflow Faber: name the work item, or set workflow: None")]
#[case::no_work_item_for_faber(json!({"workId": null, "workflow": "Faber"}), "spec.workId is required")]
#[case::no_repository(json!({"repository": null}), "spec.repository is required in mode Chat")]
#[case::word(json!({"workId": "twelve"}), "spec.workId must be the number")]
#[case::script(json!({"agent": {"driver": "Script"}}), "spec.agent.driver Script is for Runs")]
#[case::budget(json!({"agent": {"budgetUSD": "0"}}), "agent.budgetUSD must be a decimal number")]
#[case::answer_id(json!({"answers": [{"id": "a b", "text": "yes"}]}), "answers.id must hold letters")]
#[case::long_answer(json!({"answers": [{"id": "a", "text": "ä".repeat(2049)}]}), "answers.text must be at most 4096 bytes")]
#[case::workflow_of_a_terminal(json!({"mode": "Terminal", "workId": null, "workflow": "None"}), "set spec.mode to Chat")]
#[case::autonomy_of_a_terminal(json!({"mode": "Terminal", "workId": null, "autonomy": "Assist"}), "set spec.mode to Chat")]
#[case::work_item_of_a_terminal(json!({"mode": "Terminal"}), "set spec.mode to Chat")]
#[case::agent_of_a_terminal(json!({"mode": "Terminal", "workId": null, "agent": {}}), "set spec.mode to Chat")]
#[case::answers_of_a_terminal(json!({"mode": "Terminal", "workId": null, "answers": []}), "set spec.mode to Chat")]
#[case::forge_of_a_terminal(json!({"mode": null, "workId": null, "repository": {"url": "https://h/x", "forge": "Gitea"}}), "set spec.mode to Chat")]
fn a_broken_rule_of_a_chat_names_field_and_fix(#[case] fields: Value, #[case] mentions: &str) {
    let messages = broken(&chat(fields), None);
    assert!(messages.iter().any(|message| message.contains(mentions)), "{messages:?}");
}

#[rstest]
#[case::least(json!({}))]
#[case::conversation(json!({"workId": null, "workflow": "None"}))]
#[case::about_something(json!({"workId": "team/app#12", "workflow": "None", "autonomy": "Assist"}))]
#[case::all(json!({"workflow": "Faber", "autonomy": "Autonomous", "agent": {"driver": "Claude", "maxTurns": 3},
    "repository": {"url": "https://host/team/app", "forge": "Gitea"}, "answers": [{"id": "a", "text": "yes"}]}))]
fn chats_may_be_given_so(#[case] fields: Value) {
    assert_eq!(broken(&chat(fields), None), Vec::<String>::new());
}

#[rstest]
#[case::mode(json!({}), json!({"mode": "Terminal", "workId": null}), "spec.mode never changes: make a new Session")]
#[case::workflow(json!({}), json!({"workflow": "None"}), "spec.workflow never changes")]
#[case::autonomy(json!({"autonomy": "Guarded"}), json!({"autonomy": "Autonomous"}), "spec.autonomy never changes")]
#[case::work_item(json!({}), json!({"workId": "13"}), "spec.workId never changes")]
#[case::agent(json!({}), json!({"agent": {"maxTurns": 3}}), "spec.agent never changes")]
#[case::repository(json!({}), json!({"repository": {"url": "https://host/team/other"}}), "spec.repository never changes in mode Chat")]
#[case::branch(json!({}), json!({"repository": {"url": "https://host/team/app", "branch": "b"}}), "spec.repository never changes in mode Chat")]
#[case::forge(json!({}), json!({"repository": {"url": "https://host/team/app", "forge": "Gitea"}}), "spec.repository never changes in mode Chat")]
#[case::answer(json!({"answers": [{"id": "a", "text": "yes"}]}), json!({"answers": [{"id": "a", "text": "no"}]}), "spec.answers: an answer that was given never changes")]
fn of_a_chat_only_so_much_changes(
    #[case] before: Value,
    #[case] after: Value,
    #[case] mentions: &str,
) {
    let messages = broken(&chat(after), Some(&chat(before)));
    assert!(messages.iter().any(|message| message.contains(mentions)), "{messages:?}");
}

#[rstest]
#[case::answer(json!({"answers": [{"id": "a", "text": "yes"}]}))]
#[case::login(json!({"repository": {"url": "https://host/team/app", "secretRef": {"name": "login"}}}))]
#[case::shutdown(json!({"shutdownTime": "2026-12-31T18:00:00Z", "image": "a"}))]
fn of_a_chat_this_changes(#[case] after: Value) {
    assert_eq!(broken(&chat(after), Some(&chat(json!({})))), Vec::<String>::new());
}

#[rstest]
#[case::empty(json!({}))]
#[case::plain(json!({"repository": {"url": "http://host/x.git", "branch": "feature/one-2_3.4"}}))]
#[case::suspended(json!({"operatingMode": "Suspended", "workspace": {"size": "1Gi"}}))]
#[case::labels(json!({"podTemplate": {"labels": {"team": "a"}, "annotations": {"b/c": "d"}}}))]
#[case::variable(json!({"env": [{"name": "A_1", "value": ""}]}))]
fn a_kept_rule_says_nothing(#[case] spec: Value) {
    assert_eq!(broken(&session(spec), None), Vec::<String>::new());
}

#[rstest]
#[case::owner(json!({"owner": "ada"}), json!({"owner": "bob"}), "spec.owner")]
#[case::owner_set(json!({}), json!({"owner": "bob"}), "spec.owner")]
#[case::size(json!({"workspace": {"size": "1Gi"}}), json!({"workspace": {"size": "2Gi"}}), "spec.workspace")]
#[case::removed(json!({"workspace": {"size": "1Gi"}}), json!({}), "spec.workspace")]
fn what_must_not_change_is_refused(
    #[case] before: Value,
    #[case] after: Value,
    #[case] mentions: &str,
) {
    let messages = broken(&session(after), Some(&session(before)));
    assert!(messages.iter().any(|message| message.contains(mentions)), "{messages:?}");
}

#[rstest]
#[case::no_plan(json!({"plan": null}), "exactly one of spec.plan, spec.planRef and spec.workId")]
#[case::two_plans(json!({"planRef": {"name": "plans", "key": "a"}}), "exactly one of spec.plan, spec.planRef and spec.workId")]
#[case::script(json!({"plan": null, "workId": "12", "agent": {"driver": "Script"}}), "blocks of a work item")]
#[case::word(json!({"plan": null, "workId": "twelve"}), "spec.workId must be the number")]
#[case::slash(json!({"plan": null, "workId": "a/b12"}), "spec.workId must be the number")]
#[case::model(json!({"agent": {"model": "a b"}}), "agent.model must begin")]
#[case::budget_word(json!({"agent": {"budgetUSD": "much"}}), "agent.budgetUSD must be a decimal number")]
#[case::budget_zero(json!({"agent": {"budgetUSD": "0.00"}}), "agent.budgetUSD must be a decimal number")]
#[case::model_base(json!({"agent": {"baseURL": "ftp://x"}}), "agent.baseURL must begin")]
#[case::model_user(json!({"agent": {"baseURL": "http://me:pw@x"}}), "agent.baseURL must begin")]
#[case::script_model(json!({"agent": {"driver": "Script", "model": "m"}}), "a Script asks no model")]
#[case::title(json!({"title": "a\nb"}), "spec.title must be one line")]
#[case::branch_space(json!({"branch": "a b"}), "spec.branch must not hold spaces")]
#[case::branch_dots(json!({"branch": "a..b"}), "spec.branch must not be '@'")]
#[case::branch_option(json!({"branch": "-a"}), "spec.branch must not begin")]
#[case::base(json!({"repository": {"url": "https://h/x", "branch": "a..b"}}), "repository.branch")]
#[case::merged_into(json!({"pullRequest": {"base": "a b"}}), "spec.pullRequest.base must not hold spaces")]
#[case::merged_into_itself(json!({"branch": "a", "pullRequest": {"base": "a"}}), "another branch than spec.branch")]
#[case::user(json!({"repository": {"url": "https://me:pw@host/x"}}), "secretRef")]
#[case::reserved(json!({"env": [{"name": "FABRICA_X", "value": "x"}]}), "Fabrica sets them")]
#[case::our_label(json!({"podTemplate": {"labels": {"fabrica.dev/run-id": "x"}}}), "podTemplate")]
#[case::no_default(json!({"escalation": {"onTimeout": "Default"}}), "needs escalation.defaultAnswer")]
#[case::useless_default(json!({"escalation": {"onTimeout": "Continue", "defaultAnswer": "yes"}}), "needs onTimeout Default")]
#[case::long_default(json!({"escalation": {"onTimeout": "Default", "defaultAnswer": "ä".repeat(2049)}}), "escalation.defaultAnswer must be at most 4096 bytes")]
#[case::answer_id(json!({"answers": [{"id": "a b", "text": "yes"}]}), "answers.id must hold letters")]
#[case::long_answer(json!({"answers": [{"id": "a", "text": "ä".repeat(2049)}]}), "answers.text must be at most 4096 bytes")]
fn a_broken_rule_of_a_run_names_field_and_fix(#[case] fields: Value, #[case] mentions: &str) {
    let messages = broken(&run(fields), None);
    assert!(messages.iter().any(|message| message.contains(mentions)), "{messages:?}");
}

#[rstest]
#[case(json!({"plan": null, "workId": "12"}))]
#[case(json!({"plan": null, "workId": "#12", "agent": {"driver": "Claude"}}))]
#[case(json!({"plan": null, "workId": "team/app#12"}))]
#[case(json!({"agent": {"driver": "Claude", "model": "claude-sonnet-4-5", "maxTurns": 3, "budgetUSD": "0.05", "baseURL": "http://model.demo:8080/v1"}}))]
#[case(json!({"pullRequest": {"base": "HEAD"}}))]
#[case(json!({"branch": "a", "pullRequest": {"base": "release/1.0", "labels": ["robot"], "draft": true}, "repository": {"url": "https://h/a/b", "forge": "Gitea"}}))]
#[case(json!({"escalation": {"timeoutSeconds": 60}}))]
#[case(json!({"escalation": {"onTimeout": "Default", "defaultAnswer": "Leave it"}}))]
#[case(json!({"answers": [{"id": "toolu_01-A", "text": "yes", "answeredBy": "ada"}, {"id": "b", "text": "ä".repeat(2048)}]}))]
fn runs_may_be_given_so(#[case] fields: Value) {
    let messages = broken(&run(fields), None);
    assert!(messages.is_empty(), "{messages:?}");
}

#[rstest]
#[case::least(json!({}))]
#[case::reference(json!({"plan": null, "planRef": {"name": "plans", "key": "a"}}))]
#[case::branch(json!({"branch": "feature/one-2_3.4", "title": "Do it: now"}))]
fn a_kept_rule_of_a_run_says_nothing(#[case] fields: Value) {
    assert_eq!(broken(&run(fields), None), Vec::<String>::new());
}

#[rstest]
#[case::plan(json!({}), json!({"plan": "another"}), "spec.plan never changes: make a new Run")]
#[case::other_plan(json!({}), json!({"plan": null, "planRef": {"name": "a", "key": "b"}}), "spec.plan never changes")]
#[case::plan_ref(json!({"plan": null, "planRef": {"name": "a", "key": "b"}}), json!({"plan": null, "planRef": {"name": "a", "key": "c"}}), "spec.planRef")]
#[case::title(json!({}), json!({"title": "a"}), "spec.title")]
#[case::repository(json!({}), json!({"repository": {"url": "https://host/y"}}), "spec.repository")]
#[case::branch(json!({"branch": "a"}), json!({}), "spec.branch")]
#[case::image(json!({}), json!({"image": "a"}), "spec.image")]
#[case::pull(json!({}), json!({"imagePullSecrets": [{"name": "a"}]}), "spec.imagePullSecrets")]
#[case::env(json!({}), json!({"env": [{"name": "A", "value": "x"}]}), "spec.env")]
#[case::git(json!({}), json!({"git": {"userName": "a", "userEmail": "b"}}), "spec.git")]
#[case::resources(json!({}), json!({"resources": {"limits": {"cpu": "1"}}}), "spec.resources")]
#[case::workspace(json!({}), json!({"workspace": {"size": "1Gi"}}), "spec.workspace never changes: make a new Run")]
#[case::retain(json!({"workspace": {"size": "1Gi"}}), json!({"workspace": {"size": "1Gi", "retain": true}}), "spec.workspace")]
#[case::template(json!({}), json!({"podTemplate": {"runtimeClassName": "a"}}), "spec.podTemplate")]
#[case::deadline(json!({}), json!({"deadlineSeconds": 60}), "spec.deadlineSeconds")]
#[case::attempts(json!({}), json!({"maxAttempts": 3}), "spec.maxAttempts")]
#[case::ttl(json!({"ttlSecondsAfterFinished": 3}), json!({"ttlSecondsAfterFinished": 4}), "spec.ttlSecondsAfterFinished")]
#[case::owner(json!({}), json!({"owner": "bob"}), "spec.owner")]
#[case::escalation(json!({}), json!({"escalation": {"timeoutSeconds": 60}}), "spec.escalation never changes")]
#[case::answer_changed(json!({"answers": [{"id": "a", "text": "yes"}]}), json!({"answers": [{"id": "a", "text": "no"}]}), "spec.answers: an answer that was given never changes")]
#[case::answer_given_up(json!({"answers": [{"id": "a", "text": "yes"}]}), json!({"answers": [{"id": "a", "text": "yes", "answeredBy": "ada"}]}), "never changes and never goes")]
#[case::answer_gone(json!({"answers": [{"id": "a", "text": "yes"}]}), json!({"answers": [{"id": "b", "text": "yes"}]}), "never changes and never goes")]
#[case::answers_gone(json!({"answers": [{"id": "a", "text": "yes"}]}), json!({}), "never changes and never goes")]
#[case::back(json!({"desiredState": "Cancelled"}), json!({"desiredState": "Running"}), "spec.desiredState cannot leave Cancelled")]
fn nothing_of_a_run_changes_but_its_desired_state_and_new_answers(
    #[case] before: Value,
    #[case] after: Value,
    #[case] mentions: &str,
) {
    let messages = broken(&run(after), Some(&run(before)));
    assert!(messages.iter().any(|message| message.contains(mentions)), "{messages:?}");
}

#[test]
fn a_run_can_be_cancelled() {
    let cancelled = run(json!({"desiredState": "Cancelled", "owner": "ada"}));
    assert_eq!(broken(&cancelled, Some(&run(json!({"owner": "ada"})))), Vec::<String>::new());
}

#[rstest]
#[case::first(json!({}), json!({"answers": [{"id": "a", "text": "yes"}]}))]
#[case::another(json!({"answers": [{"id": "a", "text": "yes", "answeredBy": "ada"}]}),
    json!({"answers": [{"id": "b", "text": "no"}, {"id": "a", "text": "yes", "answeredBy": "ada"}]}))]
fn answers_are_added(#[case] before: Value, #[case] after: Value) {
    assert_eq!(broken(&run(after), Some(&run(before))), Vec::<String>::new());
}

#[test]
fn a_run_that_says_little_gets_defaults() {
    let parsed: Run = serde_json::from_value(run(json!({}))).unwrap();
    assert_eq!((parsed.spec.deadline_seconds, parsed.spec.max_attempts), (3600, 2));
}

#[rstest]
#[case::dotted("a.b", false)]
#[case::upper("Ab", false)]
#[case::dash("-a", false)]
#[case::digit("1a", true)]
#[case::longest(&"a".repeat(52), true)]
#[case::too_long(&"a".repeat(53), false)]
fn names_leave_room_for_those_of_children(#[case] name: &str, #[case] allowed: bool) {
    for mut object in [session(json!({})), run(json!({}))] {
        object["metadata"]["name"] = json!(name);
        let messages = broken(&object, None);
        assert_eq!(messages.is_empty(), allowed, "{messages:?}");
        assert!(
            allowed || messages[0].contains("metadata.name must be at most 52"),
            "{messages:?}"
        );
    }
}

/// The page says what the API would say while a name is typed; its own tests hold it to the sentences.
#[test]
fn the_page_checks_names_by_the_pattern_of_the_rule() {
    let manifest = include_str!("../manifests/sessions.yaml");
    let (_, rest) = manifest.split_once("self.metadata.name.matches('").unwrap();
    let pattern = rest.split('\'').next().unwrap();
    let page = include_str!("../../gateway/web/src/form/repository.ts");
    assert!(page.contains(&format!("const NAME = /{pattern}/;")), "{pattern}");
    assert!(page.contains("name.length <= 52 && NAME.test(name)"));
}

#[test]
fn what_people_ask_for_by_field_can_be_selected() {
    let version = Session::crd().spec.versions.remove(0);
    let fields: Vec<_> =
        version.selectable_fields.into_iter().flatten().map(|field| field.json_path).collect();
    assert_eq!(fields, [".spec.mode", ".spec.operatingMode", ".spec.owner", ".spec.workId"]);
}

#[test]
fn retain_may_change() {
    let before = session(json!({"workspace": {"size": "1Gi"}}));
    let after = session(json!({"workspace": {"size": "1Gi", "retain": true}}));
    assert_eq!(broken(&after, Some(&before)), Vec::<String>::new());
}

#[test]
fn examples_are_valid() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The plan is the gateway's to read.
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let object: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(broken(&object, None), Vec::<String>::new(), "{}", path.display());
        let written = if object["kind"] == "Run" {
            serde_json::to_value(serde_json::from_value::<Run>(object.clone()).unwrap().spec)
        } else {
            serde_json::to_value(serde_json::from_value::<Session>(object.clone()).unwrap().spec)
        };
        let written = written.unwrap();
        assert_subset(&object["spec"], &written, &path.display().to_string());
        seen += 1;
    }
    assert_eq!(seen, 9);
}

/// Everything an example says was understood: no field of it is lost on the way through the types.
fn assert_subset(said: &Value, understood: &Value, place: &str) {
    match said {
        Value::Object(fields) => {
            for (name, value) in fields {
                assert_subset(value, &understood[name], &format!("{place}.{name}"));
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                assert_subset(value, &understood[index], &format!("{place}[{index}]"));
            }
        }
        value => assert_eq!(value, understood, "{place}"),
    }
}
