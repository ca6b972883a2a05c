//! Tells a Chat's runtime what people have decided.

use kube::ResourceExt;

use super::Context;
use super::observe::Observed;
use crate::children::agent::given;
use crate::controller::error_chain;

/// Gives the agent the answers that it waits for. One that cannot be given now is given by the next pass.
pub(super) async fn answer(context: &Context, observed: &Observed) {
    let Some(told) = observed.told.as_ref().filter(|told| told.whole) else { return };
    let (spec, uid) = (&observed.session.spec, observed.session.uid().unwrap_or_default());
    let answers =
        told.talk.open().iter().filter_map(|asked| given(&asked.id, spec.answers.as_ref()));
    for answer in answers {
        if let Err(error) = context.runtimes.answer(&told.address, &uid, &answer).await {
            tracing::debug!(error = error_chain(&error), "the runtime cannot be answered yet");
        }
    }
}
