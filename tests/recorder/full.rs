//! A database whose disk is full.

use std::time::Duration;

use fabrica_operator::recorder::{Recorded, Recorder};
use fabrica_test_database::Server;
use rstest::rstest;
use uuid::Uuid;

use crate::door::FakeDoor;
use crate::{DEADLINE, RECORDS, acknowledged, assert_whole, run, start};

/// Waits until a Run that goes on is told to be behind, and says how.
async fn behind(recorder: &Recorder, uid: Uuid) -> String {
    let run = run(uid, "Running");
    loop {
        if let Recorded::Behind(words) = recorder.recorded(&run, run.status.as_ref().unwrap()) {
            return words;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[rstest]
#[case::of_the_data(false)]
#[case::of_everything(true)]
#[tokio::test]
async fn a_full_disk_is_waited_for_and_loses_and_doubles_nothing(#[case] all: bool) {
    let Some(mut server) = Server::on_a_small_disk(all).await else { return };
    let (uid, door) = (Uuid::new_v4(), FakeDoor::new());
    let (recorder, _stop) = start(server.store(), &door, &run(uid, "Running"), None);
    let work = async {
        door.write(1, 400);
        acknowledged(&door, 400).await;
        server.fill_disk();
        door.write(401, 1000);
        let words = behind(&recorder, uid).await;
        // Without its log the server ends before it can say why.
        assert!(all || words.contains("No space left on device"), "{words}");
        let known = *door.acknowledged.borrow();
        assert!((400..1000).contains(&known), "{known} records were acknowledged");
        // A Run that changes is told of as ever, and nothing of it is lost.
        recorder.see(&run(uid, "Escalated"), [crate::pod()], true);
        assert_eq!(behind(&recorder, uid).await, words, "the first words stay");
        server.make_room();
        server.resume().await;
        door.write(1001, RECORDS);
        acknowledged(&door, RECORDS).await;
        let ended = run(uid, "Completed");
        assert_eq!(recorder.recorded(&ended, ended.status.as_ref().unwrap()), Recorded::All);
    };
    tokio::time::timeout(DEADLINE, work).await.unwrap();
    assert_whole(&server.store(), uid).await;
}
