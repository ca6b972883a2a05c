//! A Run from its creation to its verdict.

use anyhow::{Context, Result, ensure};
use fabrica_crds::Run;
use fabrica_crds::run::Phase;
use fabrica_e2e::Namespace;
use fabrica_e2e::cluster::{eventually, wait_for, wait_gone, with_namespace};
use fabrica_e2e::git_server::GitServer;
use fabrica_e2e::run::{causes, phase_of, succeeded};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};

/// A block that goes on until it is ended.
const ENDLESS: &str = "```sh\necho at-work\nsleep 100000\n```";
/// A block that leaves a change.
const CHANGE: &str = "# Add a file\n\n```sh\necho hello > greeting\n```\n";

async fn served(name: &str) -> Result<GitServer> {
    let server = GitServer::start().await?;
    server.repository(name, &[("README.md", "hello")]).await?;
    Ok(server)
}

fn spec(server: &GitServer, repository: &str, plan: &str) -> Value {
    json!({"plan": plan, "repository": {"url": server.url(repository)}, "agent": {"driver": "Script"}})
}

#[tokio::test]
async fn a_plan_comes_back_as_a_branch() {
    with_namespace(|namespace| async move {
        let server = served("happy").await?;
        let plan = "# Greet\n\n```sh\necho one > one\ngit add one\ngit commit -qm 'Add one'\n```\n\nThen:\n\n```sh\ntest -f one\necho two > two\necho FINISHED\n```\n";
        let created = namespace.run("happy", spec(&server, "happy", plan)).await?;
        let run = namespace.await_end("happy").await?;
        ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
        ensure!(succeeded(&run).0 == "True" && succeeded(&run).1 == "Succeeded", "{:?}", run.status);
        let status = run.status.context("a status")?;
        let uid = created.uid().context("a UID")?;
        let branch = format!("fabrica/{}", &uid[..8]);
        ensure!(status.branch.as_deref() == Some(&*branch), "{status:?}");
        let head = server.head("happy", &branch).await?;
        ensure!(head.is_some() && status.commit == head, "{status:?} against {head:?}");
        let log = server.ask("happy", &["log", "--format=%s%n%b", &branch]).await?.unwrap_or_default();
        ensure!(log.contains("Add one") && log.contains(&format!("Fabrica-Run: {uid}")), "{log}");
        let files = server.ask("happy", &["ls-tree", "--name-only", &branch]).await?.unwrap_or_default();
        ensure!(files.contains("one") && files.contains("two"), "{files}");
        ensure!(status.attempts.len() == 1 && status.finished_at.is_some(), "{status:?}");
        let told = json!(status.messages).to_string();
        ensure!(told.contains("FINISHED") || told.contains("pushed"), "{told}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn its_pod_holds_no_credential_and_is_labelled() {
    with_namespace(|namespace| async move {
        let server = GitServer::start_private("robot:planted-canary").await?;
        server.repository("private", &[("README.md", "hello")]).await?;
        namespace
            .create::<Secret>(json!({"metadata": {"name": "login"},
                "stringData": {"username": "robot", "password": "planted-canary"}}))
            .await?;
        let plan = "```sh\nenv > seen\ncat /proc/1/environ >> seen 2>/dev/null || true\ngit config --list >> seen\nls /var/run/secrets/kubernetes.io >> seen 2>&1 || true\n```";
        let mut spec = spec(&server, "private", plan);
        spec["repository"]["secretRef"] = json!({"name": "login"});
        let run = namespace.run("private", spec).await?;
        let uid = run.uid().context("a UID")?;
        let pod = wait_for(&namespace.api::<Pod>(), "private-run-1", "made", |pod| pod.is_some()).await?;
        let pod = pod.context("a pod")?;
        ensure!(pod.labels().get("fabrica.dev/run-id") == Some(&uid), "{:?}", pod.labels());
        ensure!(pod.labels()["fabrica.dev/mode"] == "run", "{:?}", pod.labels());
        ensure!(pod.spec.context("a spec")?.automount_service_account_token == Some(false));
        namespace.api::<NetworkPolicy>().get("private-run").await?;
        let run = namespace.await_phase("private", Phase::Completed).await?;
        let status = run.status.context("a status")?;
        let branch = status.branch.clone().context("a branch")?;
        let seen = server.ask("private", &["show", &format!("{branch}:seen")]).await?.context("the file")?;
        ensure!(!seen.contains("planted-canary"), "the agent saw the password");
        ensure!(seen.contains("No such file"), "{seen}");
        ensure!(!json!(status).to_string().contains("planted-canary"), "the status tells the password");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_plan_in_a_config_map() {
    with_namespace(|namespace| async move {
        let server = served("map").await?;
        namespace
            .create::<ConfigMap>(json!({"metadata": {"name": "plans"}, "data": {"first.md": CHANGE}}))
            .await?;
        let spec = json!({"planRef": {"name": "plans", "key": "first.md"},
            "repository": {"url": server.url("map")}, "agent": {"driver": "Script"}, "branch": "topic/greeting", "title": "Greet everybody"});
        namespace.run("map", spec).await?;
        namespace.await_phase("map", Phase::Completed).await?;
        let log = server.ask("map", &["log", "-1", "--format=%s", "topic/greeting"]).await?;
        ensure!(log.as_deref() == Some("Greet everybody"), "{log:?}");
        Ok(())
    })
    .await;
}

/// As long as a plan may be, in characters that take the most bytes.
#[tokio::test]
async fn a_plan_of_the_longest_characters_arrives_whole() {
    with_namespace(|namespace| async move {
        let server = served("long").await?;
        let script = "```sh\nwc -c < ../plan.md > size\n```\n";
        let plan = format!("{script}{}", "🦀".repeat(32_768 - script.len()));
        namespace.run("long", spec(&server, "long", &plan)).await?;
        let run = namespace.await_phase("long", Phase::Completed).await?;
        let branch = run.status.and_then(|status| status.branch).context("a branch")?;
        let size = server.ask("long", &["show", &format!("{branch}:size")]).await?;
        ensure!(size.as_deref() == Some(&*plan.len().to_string()), "{size:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn nothing_changed_is_completed_and_pushes_nothing() {
    with_namespace(|namespace| async move {
        let server = served("same").await?;
        namespace.run("same", spec(&server, "same", "```sh\ntrue\n```")).await?;
        let run = namespace.await_end("same").await?;
        ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
        ensure!(succeeded(&run).1 == "NoChanges", "{:?}", run.status);
        let branches = server.ask("same", &["branch", "--list"]).await?.unwrap_or_default();
        ensure!(branches.lines().count() == 1, "{branches}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_fails_is_tried_again_as_often_as_allowed() {
    with_namespace(|namespace| async move {
        let server = served("failing").await?;
        let mut spec = spec(&server, "failing", "```sh\necho because-of-this >&2\nexit 3\n```");
        spec["maxAttempts"] = json!(2);
        namespace.run("failing", spec).await?;
        let run = namespace.await_end("failing").await?;
        ensure!(phase_of(&run) == Some(Phase::Failed), "{:?}", run.status);
        let (status, reason, message) = succeeded(&run);
        ensure!(status == "False" && reason == "AgentFailed", "{:?}", run.status);
        ensure!(message.contains('3'), "{message}");
        ensure!(causes(&run) == ["AgentFailed", "AgentFailed"], "{:?}", run.status);
        // What happened can be read in the pods as long as the Run is there.
        namespace.api::<Pod>().get("failing-run-1").await?;
        namespace.api::<Pod>().get("failing-run-2").await?;
        namespace.api::<Run>().delete("failing", &DeleteParams::default()).await?;
        wait_gone(&namespace.api::<Pod>(), "failing-run-1").await?;
        wait_gone(&namespace.api::<NetworkPolicy>(), "failing-run").await
    })
    .await;
}

/// What the volume brings is nothing that the next attempt, or the next Run of the name, would look at.
#[tokio::test]
async fn attempts_share_a_volume_and_nothing_in_it() {
    with_namespace(|namespace| async move {
        let server = served("volume").await?;
        // The first attempt leaves a hook, a home and a folder that is closed, and fails; the second finds none of it.
        let plan = "```sh\necho $HOSTNAME\ncase $HOSTNAME in *-1) ;; *) ls -A .. ~; test ! -e ../left -a ! -e .git/hooks/post-commit; echo hello > greeting; exit 0;; esac\nmkdir -p ../left/closed ~/.config; touch ../left/closed/x ~/.config/x; chmod 555 ../left/closed\nprintf 'exit 1' > .git/hooks/post-commit\nexit 3\n```";
        let mut spec = spec(&server, "volume", plan);
        spec["workspace"] = json!({"size": "64Mi", "retain": true});
        namespace.run("volume", spec.clone()).await?;
        let run = namespace.await_end("volume").await?;
        ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
        ensure!(causes(&run) == ["AgentFailed", "Succeeded"], "{:?}", run.status);
        let claims = namespace.api::<PersistentVolumeClaim>();
        let claim = claims.get("volume-run").await?;
        ensure!(claim.metadata.owner_references.is_none(), "{claim:?}");
        namespace.api::<Run>().delete("volume", &DeleteParams::default()).await?;
        wait_gone(&namespace.api::<Pod>(), "volume-run-2").await?;
        ensure!(claims.get("volume-run").await?.metadata.deletion_timestamp.is_none());
        spec["plan"] = json!("```sh\ntest ! -e ../repo/greeting -a ! -e ../.fabrica/journal-2.ndjson\n```");
        spec["maxAttempts"] = json!(1);
        namespace.run("volume", spec.clone()).await?;
        let run = namespace.await_end("volume").await?;
        ensure!(succeeded(&run).1 == "NoChanges", "{:?}", run.status);
        spec["workspace"] = json!({"size": "64Mi"});
        namespace.run("owned", spec).await?;
        namespace.await_end("owned").await?;
        namespace.api::<Run>().delete("owned", &DeleteParams::default()).await?;
        wait_gone(&claims, "owned-run").await
    })
    .await;
}

#[tokio::test]
async fn a_refused_push_is_final_and_told_in_the_servers_words() {
    with_namespace(|namespace| async move {
        let server = served("closed").await?;
        server.protect("closed", "this repository is frozen").await?;
        namespace.run("closed", spec(&server, "closed", CHANGE)).await?;
        let run = namespace.await_end("closed").await?;
        let (_, reason, message) = succeeded(&run);
        ensure!(reason == "PushRejected" && message.contains("frozen"), "{:?}", run.status);
        ensure!(causes(&run) == ["PushRejected"], "{:?}", run.status);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_strangers_branch_is_left_alone() {
    with_namespace(|namespace| async move {
        let server = served("theirs").await?;
        let identity = ["-c", "user.name=Stranger", "-c", "user.email=stranger@fabrica.test"];
        let commit = ["commit-tree", "main^{tree}", "-p", "main", "-m", "theirs"];
        let theirs = server.ask("theirs", &[&identity[..], &commit].concat()).await?;
        let theirs = theirs.context("a stranger's commit")?;
        server.ask("theirs", &["update-ref", "refs/heads/work", &theirs]).await?;
        let before = server.head("theirs", "work").await?;
        let mut spec = spec(&server, "theirs", CHANGE);
        spec["branch"] = json!("work");
        namespace.run("theirs", spec).await?;
        let run = namespace.await_end("theirs").await?;
        let (_, reason, message) = succeeded(&run);
        ensure!(reason == "BranchExists" && message.contains("work"), "{:?}", run.status);
        ensure!(before.is_some() && server.head("theirs", "work").await? == before);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_deadline_ends_a_run_for_good() {
    with_namespace(|namespace| async move {
        let server = served("late").await?;
        let mut spec = spec(&server, "late", ENDLESS);
        spec["deadlineSeconds"] = json!(10);
        namespace.run("late", spec).await?;
        let run = namespace.await_end("late").await?;
        ensure!(phase_of(&run) == Some(Phase::Failed), "{:?}", run.status);
        ensure!(succeeded(&run).1 == "DeadlineExceeded", "{:?}", run.status);
        ensure!(causes(&run) == ["DeadlineExceeded"], "{:?}", run.status);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn cancelling_ends_a_run_for_good() {
    with_namespace(|namespace| async move {
        let server = served("enough").await?;
        namespace.run("enough", spec(&server, "enough", ENDLESS)).await?;
        namespace.await_phase("enough", Phase::Running).await?;
        namespace.cancel("enough").await?;
        let run = namespace.await_phase("enough", Phase::Cancelled).await?;
        ensure!(succeeded(&run).1 == "Cancelled", "{:?}", run.status);
        let back = kube::api::Patch::Merge(json!({"spec": {"desiredState": "Running"}}));
        let refused = namespace.api::<Run>().patch("enough", &Default::default(), &back).await;
        let words = refused.err().context("cancelling is one-way")?.to_string();
        ensure!(words.contains("make a new Run"), "{words}");
        Ok(())
    })
    .await;
}

/// Its runtime is told to end, has the time to say why it does, and the next one begins.
#[tokio::test]
async fn a_pod_that_is_evicted_says_so_and_costs_no_attempt_of_the_agent() {
    with_namespace(|namespace| async move {
        let server = served("evicted").await?;
        let mut spec = spec(&server, "evicted", ENDLESS);
        spec["maxAttempts"] = json!(1);
        namespace.run("evicted", spec).await?;
        // A runtime that only just starts would not hear that it is to end.
        let works = |run: &Run| {
            let messages = run.status.as_ref().map(|status| &status.messages);
            messages.into_iter().flatten().any(|message| message.text.contains("at-work"))
        };
        namespace.await_run("evicted", "at work", works).await?;
        namespace.evict("evicted").await?;
        let again = |run: &Run| causes(run).len() == 2 && phase_of(run) == Some(Phase::Running);
        let run = namespace.await_run("evicted", "tried again", again).await?;
        ensure!(causes(&run) == ["PodEvicted", ""], "{:?}", run.status);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn more_runs_than_may_work_wait_in_a_queue() {
    with_namespace(|namespace| async move {
        let server = served("queue").await?;
        let names = || (0..6).map(|number| format!("q{number}"));
        for name in names() {
            namespace.run(&name, spec(&server, "queue", ENDLESS)).await?;
        }
        // Those of one second have no order among them.
        let (running, waiting) = eventually("five work and one waits", || async {
            let runs = namespace.api::<Run>().list(&Default::default()).await?.items;
            let (running, others): (Vec<Run>, Vec<Run>) =
                runs.into_iter().partition(|run| phase_of(run) == Some(Phase::Running));
            let queued = others.first().is_some_and(|run| phase_of(run) == Some(Phase::Queued));
            Ok((running.len() == 5 && queued).then_some((running, others)))
        })
        .await?;
        let (runs, waits) = (running[0].name_any(), waiting[0].name_any());
        let status = waiting[0].status.as_ref();
        let position = status.and_then(|status| status.queue_position);
        ensure!(position == Some(1), "its position is told: {waiting:?}");
        ensure!(namespace.api::<Pod>().get_opt(&format!("{waits}-run-1")).await?.is_none());
        namespace.cancel(&runs).await?;
        let runs = namespace.await_phase(&waits, Phase::Running).await?;
        ensure!(runs.status.unwrap_or_default().queue_position.is_none(), "it has left the queue");
        // A Run that never ran can be cancelled too.
        namespace.run("q6", spec(&server, "queue", ENDLESS)).await?;
        namespace.await_phase("q6", Phase::Queued).await?;
        namespace.cancel("q6").await?;
        namespace.await_phase("q6", Phase::Cancelled).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_run_that_ended_goes_when_its_time_is_over() {
    with_namespace(|namespace| async move {
        let server = served("short").await?;
        let mut spec = spec(&server, "short", "```sh\ntrue\n```");
        spec["ttlSecondsAfterFinished"] = json!(2);
        namespace.run("short", spec).await?;
        wait_gone(&namespace.api::<Run>(), "short").await?;
        wait_gone(&namespace.api::<Pod>(), "short-run-1").await
    })
    .await;
}

#[tokio::test]
async fn causes_before_the_agent_are_told() {
    with_namespace(|namespace| async move {
        let server = served("causes").await?;
        let missing = json!({"plan": CHANGE, "repository": {"url": server.url("nowhere")}, "agent": {"driver": "Script"}});
        namespace.run("nowhere", missing).await?;
        let run = namespace
            .await_run("nowhere", "failed to clone", |run| causes(run).first() == Some(&"CloneFailed"))
            .await?;
        ensure!(phase_of(&run) != Some(Phase::Completed));
        let mut unpullable = spec(&server, "causes", CHANGE);
        unpullable["image"] = json!("fabrica.invalid/none:1");
        namespace.run("image", unpullable).await?;
        let run = namespace
            .await_run("image", "ImagePullFailed", |run| succeeded(run).1 == "ImagePullFailed")
            .await?;
        ensure!(succeeded(&run).2.contains("fabrica.invalid/none:1"), "{:?}", run.status);
        let absent = json!({"planRef": {"name": "absent", "key": "plan.md"}, "repository": {"url": server.url("causes")}, "agent": {"driver": "Script"}});
        namespace.run("absent", absent).await?;
        let run = namespace
            .await_run("absent", "ConfigMissing", |run| succeeded(run).1 == "ConfigMissing")
            .await?;
        ensure!(succeeded(&run).2.contains("absent"), "{:?}", run.status);
        Ok(())
    })
    .await;
}

/// Bad manifests are refused by the API server, in sentences that name the field and the fix.
#[tokio::test]
async fn bad_manifests_are_refused() {
    with_namespace(|namespace| async move {
        let url = "https://forge.example/a/b.git";
        let cases = [
            (json!({"repository": {"url": url}}), "set exactly one of spec.plan, spec.planRef and spec.workId"),
            (json!({"plan": "x", "planRef": {"name": "a", "key": "b"}, "repository": {"url": url}}), "set exactly one of"),
            (json!({"plan": "x"}), "repository"),
            (json!({"plan": "x", "repository": {"url": url}, "deadlineSeconds": 1}), "deadlineSeconds"),
            (json!({"plan": "x", "repository": {"url": url}, "branch": "a..b"}), "spec.branch"),
            (json!({"plan": "x", "repository": {"url": url}, "workspace": {"size": "0"}}), "workspace.size must be a quantity above 0"),
            (json!({"plan": "x", "repository": {"url": url}, "workspace": {"size": "a lot"}}), "workspace.size must be a quantity"),
            (json!({"plan": "x", "repository": {"url": url}, "workspace": {}}), "workspace.size"),
        ];
        for (spec, words) in cases {
            let said = refusal(&namespace, spec.clone()).await?;
            ensure!(said.contains(words), "{spec}: {said}");
        }
        Ok(())
    })
    .await;
}

async fn refusal(namespace: &Namespace, spec: Value) -> Result<String> {
    let object = json!({"apiVersion": "fabrica.dev/v1alpha1", "kind": "Run", "metadata": {"name": "bad"}, "spec": spec});
    let resource = kube::api::ApiResource::erase::<Run>(&());
    let api: kube::Api<kube::api::DynamicObject> =
        kube::Api::namespaced_with(namespace.cluster.client.clone(), &namespace.name, &resource);
    let answer = api.create(&Default::default(), &serde_json::from_value(object)?).await;
    Ok(answer.err().context("it was accepted")?.to_string())
}
