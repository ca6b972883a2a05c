use fabrica_protocol::run::PhaseStatus::{Completed, Failed, Skipped, Started};
use proptest::prelude::*;
use rstest::rstest;

use super::*;

const PHASES: [Phase; 5] = CORE.phases;

/// Walks through the phases until one of them, all completed.
fn until(autonomy: Autonomy, last: Phase) -> Engine {
    let mut engine = Engine::new(autonomy);
    for phase in PHASES.into_iter().filter(|phase| *phase <= last) {
        assert_eq!(engine.set(phase, Started), Ok(0));
        assert_eq!(engine.set(phase, Completed), Ok(0));
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
    let mut engine =
        at.map_or_else(|| Engine::new(Autonomy::Guarded), |at| until(Autonomy::Guarded, at));
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
    assert_eq!(engine.set(Phase::Build, Started), Err(Refusal::Retries(Phase::Build)));
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
    assert_eq!(engine.set(Phase::Release, Started), Ok(0));
    assert_eq!(engine.complete(), Ok(Ending::Release));
    assert!(engine.may_publish());
    let mut engine = until(Autonomy::Autonomous, Phase::Evaluate);
    assert_eq!(engine.set(Phase::Release, Started), Ok(0));
}

#[test]
fn who_rests_too_early_is_told_twice() {
    let mut engine = Engine::new(Autonomy::Guarded);
    assert!(engine.nudge().unwrap().contains("frame started, or frame skipped"));
    engine.set(Phase::Frame, Started).unwrap();
    assert!(engine.nudge().is_some() && engine.nudge().is_some() && engine.nudge().is_none());
    engine.forgive();
    assert!(engine.nudge().is_some());
}

#[test]
fn who_says_the_same_again_is_told_no_more_often() {
    let mut engine = Engine::new(Autonomy::Guarded);
    engine.set(Phase::Frame, Started).unwrap();
    for is_told in [true, true, false] {
        engine.set(Phase::Frame, Started).unwrap();
        assert_eq!(engine.nudge().is_some(), is_told);
    }
    engine.set(Phase::Frame, Completed).unwrap();
    assert!(engine.nudge().is_some(), "the work has moved");
}

proptest! {
    #[test]
    fn whatever_the_agent_says_the_order_holds(
        said in prop::collection::vec((0_usize..5, 0_usize..4), 0..80),
        autonomy in prop::sample::select(vec![Autonomy::DryRun, Autonomy::Assist, Autonomy::Guarded, Autonomy::Autonomous]),
    ) {
        let (mut engine, mut taken) = (Engine::new(autonomy), Vec::new());
        for (phase, status) in said {
            let step = (PHASES[phase], [Started, Completed, Failed, Skipped][status]);
            let before = engine.at();
            if engine.set(step.0, step.1).is_ok() {
                let back = (before.map(|(phase, _)| phase), step.0) == (Some(Phase::Evaluate), Phase::Build);
                let gone = before.map_or(0, |(phase, _)| PHASES.iter().position(|known| *known == phase).unwrap() + 1);
                let now = PHASES.iter().position(|known| *known == step.0).unwrap() + 1;
                prop_assert!(back || now == gone || now == gone + 1);
                taken.push(step);
            }
            prop_assert!(!engine.expected().is_empty());
        }
        let builds = engine.starts.get(&Phase::Build).copied().unwrap_or_default();
        prop_assert!(builds <= CORE.most_retries + 1);
        prop_assert!(autonomy != Autonomy::DryRun || builds == 0);
        let released = taken.iter().any(|(phase, _)| *phase == Phase::Release);
        prop_assert!(!released || autonomy == Autonomy::Autonomous);
        // A pod that finds the records is where the one before it was.
        let mut again = Engine::new(autonomy);
        for (phase, status) in taken {
            again.learn(phase, status);
        }
        engine.forgive();
        prop_assert_eq!(again, engine);
    }
}
