use fabrica_protocol::run::PhaseStatus::{Completed, Failed, Skipped, Started};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::chat::workflow::CORE;
use crate::chat::workflow::tests::{REVIEW, SHORT};

fn core(autonomy: Autonomy) -> Engine {
    Engine::new(&CORE, autonomy)
}

/// Walks through the phases until one of them, all completed.
fn until(autonomy: Autonomy, last: Phase) -> Engine {
    let mut engine = core(autonomy);
    for Stage { phase, .. } in CORE.stages.iter().filter(|stage| stage.phase <= last) {
        assert_eq!(engine.set(*phase, Started), Ok(0));
        assert_eq!(engine.set(*phase, Completed), Ok(0));
    }
    engine
}

#[rstest]
#[case::the_first(None, Phase::Frame, Started, Ok(0))]
#[case::left_out(None, Phase::Frame, Skipped, Ok(0))]
#[case::a_jump(None, Phase::Build, Started, Err(Refusal::Order))]
#[case::not_begun(None, Phase::Frame, Completed, Err(Refusal::Order))]
#[case::the_next(Some(Phase::Frame), Phase::Architect, Started, Ok(0))]
#[case::backwards(Some(Phase::Build), Phase::Frame, Started, Err(Refusal::Order))]
#[case::not_optional(Some(Phase::Architect), Phase::Build, Skipped, Err(Refusal::Order))]
#[case::back_to_build(Some(Phase::Evaluate), Phase::Build, Started, Ok(1))]
#[case::unapproved(Some(Phase::Evaluate), Phase::Release, Started, Err(Refusal::Approval))]
fn a_step_is_taken_or_refused(
    #[case] at: Option<Phase>,
    #[case] phase: Phase,
    #[case] status: PhaseStatus,
    #[case] expected: Result<u32, Refusal>,
) {
    let mut engine = at.map_or_else(|| core(Autonomy::Guarded), |at| until(Autonomy::Guarded, at));
    let before = engine.clone();
    let taken = engine.set(phase, status);
    assert_eq!(taken, expected);
    if let Err(refusal) = taken {
        assert_eq!(engine, before);
        assert!(engine.words(&refusal).starts_with("Refused. "));
    }
}

#[test]
fn what_an_evaluation_finds_goes_back_to_build_three_times() {
    let mut engine = until(Autonomy::Autonomous, Phase::Build);
    for retry in 1..=3 {
        engine.set(Phase::Evaluate, Started).unwrap();
        engine.set(Phase::Evaluate, Failed).unwrap();
        assert_eq!(engine.set(Phase::Build, Started), Ok(retry));
        engine.set(Phase::Build, Completed).unwrap();
    }
    engine.set(Phase::Evaluate, Started).unwrap();
    engine.set(Phase::Evaluate, Failed).unwrap();
    assert_eq!(
        engine.set(Phase::Build, Started),
        Err(Refusal::Retries(CORE.stage(Phase::Build).unwrap()))
    );
    assert_eq!(engine.expected(), STUCK);
    assert!(engine.complete().unwrap_err().ends_with(STUCK));
    assert!(engine.nudge().unwrap().contains(STUCK));
}

#[rstest]
#[case(Autonomy::DryRun, Phase::Architect, Phase::Build)]
#[case(Autonomy::Assist, Phase::Evaluate, Phase::Release)]
fn autonomy_ends_a_workflow_early(
    #[case] autonomy: Autonomy,
    #[case] last: Phase,
    #[case] beyond: Phase,
) {
    let mut engine = until(autonomy, last);
    assert_eq!(engine.set(beyond, Started), Err(Refusal::Autonomy));
    assert_eq!(engine.complete(), Ok(Ending::Unpublished));
    assert!(engine.expected().contains("complete") && !engine.may_publish());
    assert!(!Engine::may_push(autonomy));
}

#[test]
fn a_release_needs_an_approval_unless_the_agent_is_autonomous() {
    let mut engine = until(Autonomy::Guarded, Phase::Evaluate);
    assert!(engine.complete().is_err() && !engine.may_publish());
    assert!(engine.expected().contains("release started"), "{}", engine.expected());
    engine.approve();
    assert!(engine.is_allowed() && !engine.may_publish(), "not in this phase");
    assert_eq!(engine.set(Phase::Release, Started), Ok(0));
    assert_eq!(engine.complete(), Ok(Ending::Release));
    assert!(engine.may_publish());
    let mut engine = until(Autonomy::Autonomous, Phase::Evaluate);
    assert_eq!(engine.set(Phase::Release, Started), Ok(0));
}

#[test]
fn nothing_is_published_before_its_phase_is_begun() {
    let mut engine = core(Autonomy::Autonomous);
    let mut steps = Vec::from([Phase::Frame, Phase::Architect].map(|phase| (phase, Skipped)));
    let worked =
        [Phase::Build, Phase::Evaluate].map(|phase| [(phase, Started), (phase, Completed)]);
    steps.extend(worked.into_iter().flatten());
    for (phase, status) in steps {
        assert!(engine.is_allowed() && !engine.may_publish(), "before {phase:?} {status:?}");
        assert!(engine.not_published().contains("it is opened in the phase release"));
        engine.set(phase, status).unwrap();
    }
    assert!(!engine.may_publish());
    for (status, may_publish) in
        [(Started, true), (Failed, false), (Started, true), (Completed, true)]
    {
        engine.set(Phase::Release, status).unwrap();
        assert_eq!(engine.may_publish(), may_publish, "{status:?}");
    }
}

#[test]
fn who_rests_too_early_is_told_twice() {
    let mut engine = core(Autonomy::Guarded);
    assert!(engine.nudge().unwrap().contains("frame started, or frame skipped"));
    engine.set(Phase::Frame, Started).unwrap();
    assert!(engine.nudge().is_some() && engine.nudge().is_some() && engine.nudge().is_none());
    engine.forgive();
    assert!(engine.nudge().is_some());
}

#[test]
fn who_says_the_same_again_is_told_no_more_often() {
    let mut engine = core(Autonomy::Guarded);
    engine.set(Phase::Frame, Started).unwrap();
    for is_told in [true, true, false] {
        engine.set(Phase::Frame, Started).unwrap();
        assert_eq!(engine.nudge().is_some(), is_told);
    }
    engine.set(Phase::Frame, Completed).unwrap();
    assert!(engine.nudge().is_some(), "the work has moved");
}

#[test]
fn another_workflow_goes_its_own_way() {
    let mut engine = Engine::new(&SHORT, Autonomy::Guarded);
    assert_eq!(engine.expected(), "Next with set_phase: build started.");
    for stranger in [Phase::Frame, Phase::Evaluate] {
        assert_eq!(engine.set(stranger, Started), Err(Refusal::Order));
    }
    engine.set(Phase::Build, Started).unwrap();
    assert_eq!(engine.set(Phase::Build, Skipped), Err(Refusal::Order));
    engine.set(Phase::Build, Completed).unwrap();
    assert!(engine.complete().is_err() && engine.is_allowed(), "nobody is asked");
    assert!(!engine.may_publish());
    engine.set(Phase::Release, Started).unwrap();
    assert!(engine.may_publish());
    engine.set(Phase::Release, Failed).unwrap();
    assert_eq!(engine.expected(), "Next with set_phase: release started, or build started.");
    assert_eq!(engine.set(Phase::Build, Started), Ok(1));
    engine.set(Phase::Build, Failed).unwrap();
    let refusal = engine.set(Phase::Build, Started).unwrap_err();
    assert!(engine.words(&refusal).contains("The phase build was begun 2 times"));
    let mut engine = Engine::new(&SHORT, Autonomy::Guarded);
    for (phase, status) in [(Phase::Build, Started), (Phase::Build, Completed)] {
        engine.set(phase, status).unwrap();
    }
    assert_eq!(engine.set(Phase::Release, Started), Ok(0));
    assert_eq!(engine.complete(), Ok(Ending::Release));
}

#[test]
fn another_workflow_ends_where_its_phases_say() {
    let mut engine = Engine::new(&SHORT, Autonomy::DryRun);
    assert_eq!(engine.set(Phase::Build, Started), Err(Refusal::Autonomy));
    assert_eq!(engine.complete(), Ok(Ending::Unpublished));
    let mut engine = Engine::new(&SHORT, Autonomy::Assist);
    assert!(engine.complete().is_err() && !engine.may_publish());
    engine.set(Phase::Build, Started).unwrap();
    engine.set(Phase::Build, Completed).unwrap();
    assert_eq!(engine.set(Phase::Release, Started), Err(Refusal::Autonomy));
    assert_eq!(engine.complete(), Ok(Ending::Unpublished));
    // In its own order, and with nothing to publish.
    let mut engine = Engine::new(&REVIEW, Autonomy::Autonomous);
    engine.set(Phase::Evaluate, Started).unwrap();
    engine.set(Phase::Evaluate, Completed).unwrap();
    assert!(engine.not_published().contains(
        "this workflow publishes nothing. Next with set_phase: frame started, or frame skipped."
    ));
    engine.set(Phase::Frame, Skipped).unwrap();
    assert!(!engine.may_publish());
    assert_eq!(engine.complete(), Ok(Ending::Unpublished));
}

#[test]
fn who_may_not_publish_goes_back_as_far_as_the_workflow_does() {
    let told = |workflow| Engine::new(workflow, Autonomy::Guarded).disapproved("No.");
    assert!(told(&CORE).starts_with("Refused. No. Go back to build and mend it"));
    assert!(told(&REVIEW).starts_with("Refused. No. Mend it"));
}

#[test]
fn a_record_of_a_phase_that_there_is_not_moves_nothing() {
    let mut engine = Engine::new(&SHORT, Autonomy::Guarded);
    engine.learn(Phase::Architect, Completed);
    assert_eq!(engine, Engine::new(&SHORT, Autonomy::Guarded));
}

/// Whether the agent can go nowhere from here, as trying everything shows.
fn is_stuck(engine: &Engine) -> bool {
    let may =
        |phase, status| matches!(engine.clone().set(phase, status), Ok(_) | Err(Refusal::Approval));
    let statuses = [Started, Completed, Failed, Skipped];
    let goes_on = Phase::ALL.iter().any(|phase| statuses.iter().any(|status| may(*phase, *status)));
    !goes_on && !engine.complete_is_next()
}

/// Everything that the agent may be told here.
fn told(engine: &Engine) -> Vec<String> {
    let mut words = vec![engine.expected(), engine.not_published(), engine.disapproved("No.")];
    words.extend(engine.workflow.stages.iter().map(|stage| engine.words(&Refusal::Retries(stage))));
    words.extend(
        [Refusal::Order, Refusal::Autonomy, Refusal::Approval].map(|why| engine.words(&why)),
    );
    words.extend(engine.complete().err());
    words.extend(engine.clone().nudge());
    words
}

proptest! {
    #[test]
    fn whatever_the_agent_says_the_order_holds(
        said in prop::collection::vec((0_usize..5, 0_usize..4), 0..80),
        autonomy in prop::sample::select(vec![Autonomy::DryRun, Autonomy::Assist, Autonomy::Guarded, Autonomy::Autonomous]),
        workflow in prop::sample::select(vec![&CORE, &SHORT, &REVIEW]),
    ) {
        let place = |phase| workflow.stages.iter().position(|stage| stage.phase == phase).unwrap() + 1;
        let (mut engine, mut taken) = (Engine::new(workflow, autonomy), Vec::new());
        for (phase, status) in said {
            let step = (Phase::ALL[phase], [Started, Completed, Failed, Skipped][status]);
            let before = engine.at().map(|(phase, _)| phase);
            if engine.set(step.0, step.1).is_ok() {
                let is_back = before.zip(workflow.back).is_some_and(|(before, back)| (before, step.0) == back);
                let (gone, now) = (before.map_or(0, place), place(step.0));
                prop_assert!(is_back || now == gone || now == gone + 1);
                taken.push(step);
            }
            prop_assert_eq!(engine.expected() == STUCK, is_stuck(&engine));
            for told in told(&engine) {
                prop_assert!(!told.contains(": ."), "{}", told);
            }
        }
        for stage in workflow.stages {
            let starts = engine.starts.get(&stage.phase).copied().unwrap_or_default();
            prop_assert!(starts <= stage.retries + 1);
            let may_begin = autonomy >= stage.least && (!stage.asks || autonomy == Autonomy::Autonomous);
            prop_assert!(may_begin || starts == 0);
        }
        // A pod that finds the records is where the one before it was.
        let mut again = Engine::new(workflow, autonomy);
        for (phase, status) in taken {
            again.learn(phase, status);
        }
        engine.forgive();
        prop_assert_eq!(again, engine);
    }
}
