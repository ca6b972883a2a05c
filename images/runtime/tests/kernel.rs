//! What the runtime asks of the kernel, and what it says where the kernel refuses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

mod support;

use bytes::Bytes;
use fabrica_protocol::assertion::Role;
use rstest::rstest;
use support::{Runtime, eventually, folder, may_unshare};

/// Starts a program for which openat2 (437 everywhere) ends with an error: arguments are the number of prctl, the
/// error, and the program.
const WITHOUT_OPENAT2: &str = r#"
my ($prctl, $error, @program) = (shift() + 0, shift() + 0, @ARGV);
my $filter = pack 'SCCL' x 4, 0x20,0,0,0, 0x15,0,1,437, 0x06,0,0,0x50000 | $error, 0x06,0,0,0x7fff0000;
syscall($prctl, 38, 1, 0, 0, 0) == 0 or die "no new privileges: $!";
syscall($prctl, 22, 2, pack('S x6 P', 4, $filter), 0, 0) == 0 or die "filter: $!";
exec @program or die "exec: $!";
"#;

/// An old kernel knows no openat2, and an old seccomp profile forbids what it does not know.
#[rstest]
#[case::kernel("38")]
#[case::seccomp("1")]
#[tokio::test]
async fn without_openat2_files_stay_closed_and_the_cause_is_named(#[case] error: &str) {
    let prctl = if cfg!(target_arch = "aarch64") { "167" } else { "157" };
    let by = ["perl", "-e", WITHOUT_OPENAT2, prctl, error];
    let runtime = Runtime::begin_in(folder(), &by, &[]);
    runtime.ready().await;
    std::fs::write(runtime.workspace().join("file"), "content").unwrap();
    let download = runtime.get("/v1/files/file", Role::View).await;
    let upload = runtime.put("/v1/files/folder/file", "content", Role::Control).await;
    for answer in [download, upload] {
        assert_eq!(answer.status(), 501);
        let text = answer.text().await.unwrap();
        assert!(text.contains("openat2") && text.contains("seccomp"), "{text}");
    }
}

#[tokio::test]
async fn an_upload_that_does_not_fit_is_refused_and_leaves_nothing() {
    if !may_unshare("--mount") {
        return;
    }
    // The mount ends with the namespace, which ends with the runtime.
    let mount = "mount -t tmpfs -o size=1m tmpfs \"$FABRICA_WORKSPACE\" && exec \"$@\"";
    let by = ["unshare", "--mount", "sh", "-c", mount, "sh"];
    let runtime = Runtime::begin_in(folder(), &by, &[]);
    runtime.ready().await;
    let announced = runtime.put("/v1/files/large", vec![0; 2 << 20], Role::Control).await;
    assert_eq!(announced.status(), 507);
    let text = announced.text().await.unwrap();
    assert!(text.contains("2097152 bytes"), "{text}");
    let pieces = (0..32).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![0; 64 << 10])));
    let stream = reqwest::Body::wrap_stream(futures::stream::iter(pieces));
    let unannounced = runtime.put("/v1/files/large", stream, Role::Control).await;
    assert_eq!(unannounced.status(), 507);
    let listing = runtime.get("/v1/files/", Role::View).await.text().await.unwrap();
    assert!(!listing.contains("large") && !listing.contains("upload"), "{listing}");
    assert!(runtime.put("/v1/files/small", "fits", Role::Control).await.status().is_success());
}

/// The processes that have this parent.
fn children(parent: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| status(*pid, "PPid:") == Some(vec![parent]))
        .collect()
}

/// Numbers of a line of a process's status.
fn status(pid: u32, key: &str) -> Option<Vec<u32>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.split_whitespace().filter_map(|number| number.parse().ok()).collect())
}

#[tokio::test]
async fn the_first_process_waits_for_those_who_lost_their_parent() {
    if !may_unshare("--pid") {
        return;
    }
    let by = ["unshare", "--pid", "--kill-child", "--mount-proc"];
    let runtime = Runtime::begin_in(folder(), &by, &[]);
    runtime.ready().await;
    let first = children(runtime.process.id().unwrap())[0];
    assert_eq!(status(first, "NSpid:").unwrap().last(), Some(&1));
    let mut client = runtime.attach(Role::Control).await;
    // The brackets end at once, and what they started is nobody's.
    let orphan =
        "until grep -q 'PPid:.1$' /proc/$$/status; do :; done; echo $$ > new; mv new adopted";
    client.type_text(0, &format!("(sh -c \"{}\" &)\n", orphan.replace('$', "\\$"))).await;
    let file = runtime.workspace().join("adopted");
    eventually("the orphan is ours", async || file.exists()).await;
    let orphan: u32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
    eventually("nothing is left of the orphan", async || {
        let left = children(first);
        left.iter().all(|pid| status(*pid, "NSpid:").is_none_or(|ids| ids.last() != Some(&orphan)))
    })
    .await;
    assert_eq!(runtime.idle().await.terminals, 1, "shells are waited for by their own terminal");
}
