//! A PostgreSQL of the test's own: Debian's package, a socket in a temporary folder, ended with the test.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: what does not work fails them")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fabrica_store::Store;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);
/// Twice what an empty server takes.
const DISK: &str = "128m";
/// PostgreSQL refuses to run as root: then it runs as this user, who comes with the package.
const USER: &str = "postgres";

/// The server, and the folder it lives in.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    process: Option<Child>,
    /// A disk of its own, that can be full.
    disk: Option<Disk>,
}

/// A small disk in memory, until dropped.
#[derive(Debug)]
struct Disk {
    folder: PathBuf,
}

impl Disk {
    fn mount(folder: PathBuf) -> Self {
        fs::create_dir(&folder).unwrap();
        let size = format!("size={DISK},mode=1777");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&folder));
        Self { folder }
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(&self.folder));
    }
}

impl Server {
    /// An empty server that answers.
    pub async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), None, &[]).await
    }

    /// A server with the schema in it whose data, and with `all` its log too, lie on a disk that can be full. Nothing where
    /// nobody may mount one.
    pub async fn on_a_small_disk(all: bool) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            eprintln!("not run: only root may mount a small disk");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::mount(folder.path().join("disk"));
        let log = format!("--waldir={}", folder.path().join("log").display());
        let more = ["--wal-segsize=1".to_owned(), log];
        let server = Self::start_in(folder, Some(disk), &more[..if all { 1 } else { 2 }]).await;
        server.store().migrate().await.unwrap();
        Some(server)
    }

    async fn start_in(folder: TempDir, disk: Option<Disk>, more: &[String]) -> Self {
        if rustix::process::getuid().is_root() {
            run(Command::new("chown").arg(USER).arg(folder.path()));
        }
        let mut server = Self { folder, process: None, disk };
        run(server
            .tool("initdb")
            .args(["--auth=trust", "--username=fabrica", "--encoding=UTF8", "--locale=C.UTF-8"])
            .args(more)
            .args(["--no-sync", "--pgdata"])
            .arg(server.data()));
        server.resume().await;
        server
    }

    /// Leaves no room on the small disk.
    pub fn fill_disk(&self) {
        let mut filler = fs::File::create(self.disk.as_ref().unwrap().filler()).unwrap();
        // In small pieces, so that nothing is left at the end.
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    /// Makes room again.
    pub fn make_room(&self) {
        fs::remove_file(self.disk.as_ref().unwrap().filler()).unwrap();
    }

    /// A server with the schema in it, and the way to it.
    pub async fn migrated() -> (Self, Store) {
        let server = Self::start().await;
        let store = server.store();
        store.migrate().await.unwrap();
        (server, store)
    }

    /// Starts the server over what it has. After a kill its former children may still hold the memory.
    pub async fn resume(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < deadline, "PostgreSQL does not answer");
            let runs =
                self.process.as_mut().is_some_and(|process| process.try_wait().unwrap().is_none());
            if !runs {
                self.process = Some(self.spawn());
            } else if self.store().ping().await.is_ok() {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn spawn(&self) -> Child {
        self.tool("postgres")
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    /// Where it is, as the archive is told.
    pub fn url(&self) -> String {
        let folder = self.folder.path().display();
        format!("postgres://fabrica@localhost/postgres?host={folder}")
    }

    /// Another way to it, with connections of its own.
    pub fn store(&self) -> Store {
        Store::connect(&self.url()).unwrap()
    }

    /// For what the archive itself does not ask.
    pub async fn pool(&self) -> sqlx::PgPool {
        sqlx::PgPool::connect(&self.url()).await.unwrap()
    }

    fn data(&self) -> PathBuf {
        let place = self.disk.as_ref().map_or(self.folder.path(), |disk| &disk.folder);
        place.join("data")
    }

    fn tool(&self, name: &str) -> Command {
        let tool = binary(name);
        let mut command = if rustix::process::getuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(tool);
            command
        } else {
            Command::new(tool)
        };
        command.current_dir(self.folder.path());
        command
    }

    fn end(&mut self, signal: Signal) {
        if let Some(mut process) = self.process.take() {
            let pid = Pid::from_child(&process);
            kill_process(pid, signal).unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An immediate shutdown: nobody needs the data any more.
        self.end(Signal::QUIT);
    }
}

fn binary(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions
        .map(|version| version.path().join("bin").join(name))
        .find(|path| path.exists())
        .expect("no PostgreSQL here: apt-get install postgresql")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
