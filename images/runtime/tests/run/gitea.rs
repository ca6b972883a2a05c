//! A real Gitea, where FABRICA_TEST_GITEA names its program: `templates`, `options` and `public` lie beside it.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};

use fabrica_test_network::own_address;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support::eventually;

/// Whom Gitea runs as when we are root, which it refuses to be.
const NOBODY: u32 = 65_534;
/// Names of tokens: each counts once.
static TOKENS: AtomicU64 = AtomicU64::new(0);
pub const OWNER: &str = "team";

/// A Gitea that ends when dropped.
pub struct Gitea {
    folder: TempDir,
    program: PathBuf,
    _process: Child,
    pub url: String,
    pub token: String,
}

impl Gitea {
    /// Starts one; nothing where there is no program.
    pub async fn start() -> Option<Self> {
        let Some(program) = std::env::var_os("FABRICA_TEST_GITEA").map(PathBuf::from) else {
            eprintln!("left out: FABRICA_TEST_GITEA does not name a Gitea");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let address = own_address();
        let url = format!("http://{address}");
        let own = prepare(folder.path(), &program, address);
        let run = |words: &[&str]| command(folder.path(), &own, words);
        let process = run(&["web"]).kill_on_drop(true).spawn().unwrap();
        eventually("Gitea answers", async || {
            let version = reqwest::get(format!("{url}/api/v1/version")).await;
            version.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        let user = [
            "admin",
            "user",
            "create",
            "--admin",
            "--username",
            OWNER,
            "--email",
            "team@fabrica.test",
        ];
        let password = ["--random-password", "--must-change-password=false"];
        assert!(run(&[&user[..], &password].concat()).output().await.unwrap().status.success());
        let mut gitea = Self { program: own, folder, _process: process, url, token: String::new() };
        gitea.token = gitea.new_token("all").await;
        Some(gitea)
    }

    /// A token that may do this.
    pub async fn new_token(&self, scopes: &str) -> String {
        self.token_of(OWNER, scopes).await
    }

    /// A token of somebody who may see what is public, and change nothing of the owner's.
    pub async fn readers_token(&self, scopes: &str) -> String {
        let user = json!({"username": "reader", "email": "reader@fabrica.test",
            "password": "not-used-anywhere-1", "must_change_password": false});
        let asked = reqwest::Client::new().post(format!("{}/api/v1/admin/users", self.url));
        let answer = asked.bearer_auth(&self.token).json(&user).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        self.token_of("reader", scopes).await
    }

    async fn token_of(&self, user: &str, scopes: &str) -> String {
        let name = format!("token-{}", TOKENS.fetch_add(1, Ordering::Relaxed));
        let words = ["admin", "user", "generate-access-token", "--raw", "--username", user];
        let more = ["--token-name", &name, "--scopes", scopes];
        let words = [&words[..], &more].concat();
        let output = command(self.folder.path(), &self.program, &words).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// Copies what Gitea reads to where nobody may read it, and writes its configuration; the copy of the program.
fn prepare(folder: &Path, program: &Path, address: SocketAddr) -> PathBuf {
    let source = program.parent().unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut copy = std::process::Command::new("cp");
    copy.args(["-r", "--no-preserve=mode"]);
    copy.args(["templates", "options", "public"].map(|name| source.join(name)));
    assert!(copy.arg(folder).status().unwrap().success());
    let own = folder.join("gitea");
    std::fs::copy(program, &own).unwrap();
    let data = folder.join("data");
    std::fs::create_dir(&data).unwrap();
    let config = format!(
        "WORK_PATH = {data}\n[server]\nHTTP_ADDR = {host}\nHTTP_PORT = {port}\nROOT_URL = http://{address}/\nDISABLE_SSH = true\nOFFLINE_MODE = true\nSTATIC_ROOT_PATH = {folder}\n[database]\nDB_TYPE = sqlite3\nPATH = {data}/gitea.db\n[security]\nINSTALL_LOCK = true\n[log]\nMODE = console\nLEVEL = Warn\n",
        host = address.ip(),
        port = address.port(),
        data = data.display(),
        folder = folder.display()
    );
    std::fs::write(data.join("app.ini"), config).unwrap();
    if rustix::process::getuid().is_root() {
        for path in [data.clone(), data.join("app.ini")] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    own
}

fn command(folder: &Path, program: &Path, words: &[&str]) -> Command {
    let data = folder.join("data");
    let mut command = Command::new(program);
    command
        .args(words)
        .arg("--config")
        .arg(data.join("app.ini"))
        .current_dir(&data)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", &data)
        .env("GITEA_WORK_DIR", &data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if rustix::process::getuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
