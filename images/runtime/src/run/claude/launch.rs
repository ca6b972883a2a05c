//! How the CLI is started: with a configuration of ours alone. What lies in the repository is never believed: its
//! settings could run programs, add servers, and send the model's questions elsewhere.

use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use uuid::Uuid;

use super::servers::{self, Servers};
use super::stream::ASK_CALLBACK;
use super::words::{asking, control};
use crate::config::{AgentConfig, Config};
use crate::run::driver::Failure;
use crate::run::faber;
use crate::run::kept::Conversation;
use crate::run::plan;
use crate::start::command;

/// Where images hold the CLI.
const COMMAND: &str = "/opt/claude/claude";
/// Below the workspace: everything that the CLI keeps. Outside the repository, and fresh for each attempt.
const FOLDER: &str = ".fabrica/agent";
/// Tools that make no sense where nobody watches and nothing outlives the attempt.
const NOT_OFFERED: &str = "AskUserQuestion,CronCreate,CronDelete,CronList,EnterPlanMode,EnterWorktree,ExitPlanMode,\
                           ListAgents,Monitor,ScheduleWakeup,SendMessage,WebSearch,Workflow";
/// Who only plans asks us about all else: a judge of the CLI's own, which it cannot ask here, would refuse without us.
const SETTINGS: &str = r#"{"useAutoModeDuringPlan":false}"#;
/// Variables that would change how the CLI works.
const ITS_OWN: [&str; 4] = ["ANTHROPIC", "CLAUDE", "DISABLE_", "MCP_"];
/// Times that a question is asked anew, with growing pauses: more than a minute in all.
const RETRIES: &str = "6";
/// What the agent is told beside the plan.
const RULES: &str = include_str!("rules.md");
/// What an agent is told that goes on in another process. What follows it is what was said last: a program that is killed
/// may not have written that down.
pub(crate) const AGAIN: &str = "The agent process was restarted. Check the state of the workspace before you repeat anything, then continue.";

/// What the CLI talks to.
pub(crate) struct Doors<'a> {
    pub(crate) model_url: String,
    pub(crate) model_key: &'a str,
    /// The servers of tools: under which name, and where.
    pub(crate) tools: Vec<(&'a str, String)>,
    pub(crate) tools_key: &'a str,
    /// Variables for its git.
    pub(crate) git: &'a [(OsString, OsString)],
}

/// How it works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ways<'a> {
    /// What it is told beside everything else.
    pub(crate) rules: &'a str,
    /// Whether it only plans, and changes nothing.
    pub(crate) plans: bool,
    /// The longest that a call of a tool of ours may take.
    pub(crate) call: Duration,
}

/// Nobody watches.
pub(crate) const ALONE: Ways<'_> =
    Ways { rules: RULES, plans: false, call: Duration::from_hours(24) };

/// The CLI's program, as the Run or the image has it.
pub(crate) fn find(config: &Config, settings: &AgentConfig) -> Result<PathBuf, Failure> {
    let named = settings.command.clone();
    let can_run = |path: &PathBuf| {
        path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    let found = match named {
        Some(path) => Some(path).filter(can_run),
        None => {
            Some(PathBuf::from(COMMAND)).filter(can_run).or_else(|| command::find(config, "claude"))
        }
    };
    found.ok_or_else(|| {
        let message = format!(
            "The image has no Claude Code: neither {} nor claude in PATH. Set spec.image to one that holds it, such as the image faber of Fabrica.",
            settings.command.as_deref().unwrap_or(Path::new(COMMAND)).display()
        );
        Failure::lasting("AgentMissing", message)
    })
}

/// Where a conversation begins: nowhere, or where one of that id ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Begin {
    New(Uuid),
    Again(Uuid),
}

/// Makes the agent's folder, without anything of an earlier start.
pub(crate) fn clear(config: &Config) -> std::io::Result<()> {
    // Absent unless the container came back.
    let _ = std::fs::remove_dir_all(config.workspace.join(FOLDER));
    make(config)
}

/// Makes the agent's folder, where there is none.
pub(crate) fn make(config: &Config) -> std::io::Result<()> {
    let folder = config.workspace.join(FOLDER);
    for part in ["config", "tmp"] {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(part))?;
    }
    Ok(())
}

/// How the CLI calls the folder that it works in.
fn project(config: &Config) -> String {
    let repository = config.workspace.join("repo");
    let name = repository.to_string_lossy();
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    name.chars().map(plain).collect()
}

/// Where the CLI keeps conversations: below its configuration.
fn conversations(config: &Config) -> PathBuf {
    Path::new("config/projects").join(project(config))
}

/// Where the commands of a conversation write what they print while they run: each into a file, which is gone thereafter.
pub(crate) fn outputs(config: &Config, id: Uuid) -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    let own = format!("tmp/claude-{user}/{}/{id}/tasks", project(config));
    config.workspace.join(FOLDER).join(own)
}

/// Puts a former pod's conversation where the CLI looks for it.
pub(crate) fn put(config: &Config, id: Uuid, file: &[u8]) -> std::io::Result<()> {
    let folder = config.workspace.join(FOLDER).join(conversations(config));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    std::fs::write(folder.join(format!("{id}.jsonl")), file)
}

/// Where a conversation is.
pub(crate) fn conversation(config: &Config, id: Uuid) -> Conversation {
    let file = Path::new(FOLDER).join(conversations(config)).join(format!("{id}.jsonl"));
    Conversation { id, folder: config.workspace.clone(), file }
}

/// Where the CLI, and whoever else is to use the agent's tools, finds them.
pub(crate) fn servers_file(workspace: &Path) -> PathBuf {
    workspace.join(FOLDER).join(servers::FILE)
}

/// The command, in the folder that was made for it.
pub(crate) fn prepare(
    config: &Config,
    settings: &AgentConfig,
    program: &Path,
    doors: &Doors<'_>,
    begin: Begin,
    ways: Ways<'_>,
) -> std::io::Result<Command> {
    let folder = config.workspace.join(FOLDER);
    let repository = config.workspace.join("repo");
    let servers = Servers::of(&doors.tools, doors.tools_key, ways.call);
    std::fs::write(servers_file(&config.workspace), serde_json::to_vec(&servers)?)?;
    std::fs::write(folder.join("rules.md"), ways.rules)?;
    let mut command = Command::new(program);
    command
        .args(words(settings, &folder, &repository, begin, ways))
        .env_clear()
        .envs(environment(config, &folder, doors))
        .current_dir(&repository);
    Ok(command)
}

fn words(
    settings: &AgentConfig,
    folder: &Path,
    repository: &Path,
    begin: Begin,
    ways: Ways<'_>,
) -> Vec<OsString> {
    let mut words: Vec<OsString> = [
        "-p",
        "--output-format=stream-json",
        "--input-format=stream-json",
        "--verbose",
        // A long answer is a line every now and then, so that silence means something.
        "--include-partial-messages",
        // Only its own folder counts, which is ours. With it, the repository's settings, servers and hooks do not.
        "--setting-sources=user",
        "--strict-mcp-config",
        "--permission-prompt-tool=stdio",
    ]
    .map(OsString::from)
    .into();
    let mut with = |flag: &str, value: &std::ffi::OsStr| {
        let mut word = OsString::from(flag);
        word.push(value);
        words.push(word);
    };
    with("--permission-mode=", if ways.plans { "plan" } else { "bypassPermissions" }.as_ref());
    match begin {
        Begin::New(id) => with("--session-id=", id.to_string().as_ref()),
        Begin::Again(id) => with("--resume=", id.to_string().as_ref()),
    }
    with("--mcp-config=", folder.join(servers::FILE).as_ref());
    with("--append-system-prompt-file=", folder.join("rules.md").as_ref());
    // Its CLAUDE.md is words for the agent, as its sources are.
    with("--add-dir=", repository.as_ref());
    with("--disallowedTools=", NOT_OFFERED.as_ref());
    with("--settings=", SETTINGS.as_ref());
    for (flag, value) in [("--model=", &settings.model), ("--max-turns=", &settings.turns)] {
        if let Some(value) = value {
            with(flag, value.as_ref());
        }
    }
    words
}

/// What the image and the Run say, without anything that would change where the CLI asks and what it believes.
fn environment(config: &Config, folder: &Path, doors: &Doors<'_>) -> Vec<(OsString, OsString)> {
    let is_its_own = |name: &OsString| {
        let name = name.to_string_lossy();
        ITS_OWN.iter().any(|start| name.starts_with(start))
    };
    let mut all: Vec<(OsString, OsString)> = config
        .shell
        .iter()
        .filter(|(name, _)| !is_its_own(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut set = |name: &str, value: OsString| all.push((name.into(), value));
    for (name, value) in [
        ("TERM", "dumb"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("DISABLE_TELEMETRY", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
        ("DISABLE_ERROR_REPORTING", "1"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "1"),
        ("CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS", "1"),
        ("CLAUDE_CODE_ENABLE_TODO_TOOLS", "1"),
        ("CLAUDE_CODE_ENABLE_TASKS", "0"),
        ("CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD", "1"),
        // Else our own tools are only known to those who look for them.
        ("ENABLE_TOOL_SEARCH", "false"),
        ("CLAUDE_CODE_MAX_RETRIES", RETRIES),
    ] {
        set(name, value.into());
    }
    set("CLAUDE_CONFIG_DIR", folder.join("config").into());
    set("CLAUDE_CODE_TMPDIR", folder.join("tmp").into());
    set("ANTHROPIC_BASE_URL", doors.model_url.clone().into());
    set("ANTHROPIC_API_KEY", doors.model_key.into());
    for (name, value) in doors.git {
        set(&name.to_string_lossy(), value.clone());
    }
    for name in ["NO_PROXY", "no_proxy"] {
        // A proxy of the Run must not stand between the CLI and our own doors.
        let known = config.shell.get(&OsString::from(name)).cloned().unwrap_or_default();
        let mut value = OsString::from("127.0.0.1,localhost");
        if !known.is_empty() {
            value.push(",");
            value.push(known);
        }
        set(name, value);
    }
    all
}

/// The first line for the CLI: we want to be asked about calls of `ask_human`.
pub(crate) fn initialize() -> Value {
    let mut line = control("initialize");
    let hook = json!({"matcher": asking(), "hookCallbackIds": [ASK_CALLBACK]});
    line["request"]["hooks"] = json!({"PreToolUse": [hook]});
    line
}

/// What is to be done. It is marked as data, as it may hold anybody's words.
pub(crate) fn task(plan: &str) -> String {
    let parts = plan::parts(plan);
    let (first, count) = (parts[0], parts.len());
    let more = if count == 1 {
        String::new()
    } else {
        format!(
            " It is long: below stands the first of its {count} parts alone. Read all of it before you begin, there or by get_plan of {}, part by part.",
            faber::NAME
        )
    };
    format!(
        "Work on this plan in the repository of the current folder, to its end. It also stands in ../plan.md.{more}\n\n<plan>\n{first}\n</plan>"
    )
}

/// A message of ours.
pub(crate) fn message(text: &str) -> Value {
    message_named(Uuid::new_v4(), text)
}

/// A message whose way the CLI tells under this id.
pub(crate) fn message_named(id: Uuid, text: &str) -> Value {
    json!({
        "type": "user",
        "message": {"role": "user", "content": text},
        "parent_tool_use_id": null,
        "uuid": id.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_plan_the_first_part_is_given() {
        assert!(task("# Short").ends_with("plan.md.\n\n<plan>\n# Short\n</plan>"));
        let long = task(&"A line of the plan.\n".repeat(50_000));
        assert!(long.len() < 70_000 && long.contains("31 parts") && long.contains("get_plan"));
    }

    #[test]
    fn what_would_change_the_agents_ways_is_left_out() {
        let variables = [
            ("MODE", "run"),
            ("ANTHROPIC_BASE_URL", "http://evil"),
            ("CLAUDE_CODE_USE_BEDROCK", "1"),
            ("no_proxy", "x.test"),
            ("COLOUR", "green"),
            ("FABRICA_CREDENTIAL_ANTHROPIC_API_KEY", "sk-real"),
        ];
        let config =
            Config::from_environment(variables.map(|(name, value)| (name.into(), value.into())));
        let doors = Doors {
            model_url: "http://127.0.0.1:1".to_owned(),
            model_key: "dummy",
            tools: Vec::new(),
            tools_key: "token",
            git: &[("GIT_CONFIG_COUNT".into(), "0".into())],
        };
        let all = environment(&config, Path::new("/f"), &doors);
        let last = |wanted: &str| {
            let found = all.iter().rev().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.to_string_lossy().into_owned())
        };
        assert_eq!(last("ANTHROPIC_BASE_URL").as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(last("ANTHROPIC_API_KEY").as_deref(), Some("dummy"));
        assert_eq!(last("no_proxy").as_deref(), Some("127.0.0.1,localhost,x.test"));
        assert_eq!(last("GIT_CONFIG_COUNT").as_deref(), Some("0"));
        assert_eq!(last("COLOUR").as_deref(), Some("green"));
        assert_eq!(last("CLAUDE_CODE_USE_BEDROCK"), None);
        assert!(all.iter().all(|(_, value)| value != "sk-real" && value != "http://evil"));
    }
}
