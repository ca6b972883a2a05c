//! A database that keeps what it is given and cannot delete what is too old.

use std::time::Duration;

use fabrica_operator::recorder::Recorded;
use fabrica_test_database::Server;
use uuid::Uuid;

use crate::door::FakeDoor;
use crate::{DEADLINE, acknowledged, run, start};

/// Counts its calls, as a sequence is never rolled back, and lets nothing go.
const REFUSES: &str = "CREATE SEQUENCE tries; \
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN PERFORM nextval('tries'); RAISE EXCEPTION 'nothing is deleted'; END $$; \
    CREATE TRIGGER refuse BEFORE DELETE ON objects FOR EACH STATEMENT EXECUTE FUNCTION refuse()";

#[tokio::test]
async fn history_that_cannot_be_deleted_yet_is_no_reason_to_call_the_database_away() {
    let (server, _store) = Server::migrated().await;
    let pool = server.pool().await;
    sqlx::raw_sql(REFUSES).execute(&pool).await.unwrap();
    let (uid, door) = (Uuid::new_v4(), FakeDoor::new());
    let running = run(uid, "Running");
    let (recorder, _stop) = start(server.store(), &door, &running, Some(1));
    door.write(1, 10);
    let work = async {
        acknowledged(&door, 10).await;
        // By then two failures were judged.
        while sqlx::query_scalar::<_, i64>("SELECT last_value FROM tries")
            .fetch_one(&pool)
            .await
            .unwrap()
            < 3
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, work).await.unwrap();
    let standing = recorder.recorded(&running, running.status.as_ref().unwrap());
    assert_eq!(standing, Recorded::Keeping);
}
