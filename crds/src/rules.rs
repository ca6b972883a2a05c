//! CEL rules that more than one field has. Each message names the field and the fix.

use kube::core::Rule;

/// The name of an object from which names of children are made.
pub(crate) fn name(reason: &str) -> Rule {
    Rule::new("size(self.metadata.name) <= 52 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')")
        .message(&*format!("metadata.name must be at most 52 characters of a-z, 0-9 and '-', without dots: {reason}"))
}

/// A field of a spec that is set once, or never. It stands at the parent, for a rule at an optional field does not see it
/// come and go.
pub(crate) fn immutable(field: &str, kind: &str) -> Rule {
    Rule::new(format!(
        "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    ))
    .message(&*format!("spec.{field} never changes: make a new {kind}"))
}

/// A field about a Session's agent: it changes only while there is none, which a Chat never is.
pub(crate) fn settled(field: &str) -> Rule {
    Rule::new(format!(
        "(self.mode == 'Terminal' && !(has(oldSelf.agentState) && oldSelf.agentState == 'On')) || (has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field}))"
    ))
    .message(&*format!("spec.{field} never changes while there is an agent: make a new Session, or in mode Terminal set spec.agentState to Off first"))
}

/// A work item, as people write it.
pub(crate) fn work_id() -> Rule {
    Rule::new("self.matches('^([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)?#?[1-9][0-9]{0,8}$') && (!self.contains('/') || self.contains('#'))")
        .message("spec.workId must be the number of an issue, such as 12, #12 or owner/name#12")
}

/// Answers are added and never taken back.
pub(crate) fn answers_stay() -> Rule {
    Rule::new("!has(oldSelf.answers) || (has(self.answers) && oldSelf.answers.all(answer, answer in self.answers))")
        .message("spec.answers: an answer that was given never changes and never goes")
}

/// Characters that git's names of branches lack.
pub(crate) fn branch_characters(field: &str) -> Rule {
    Rule::new(r"!self.matches('[[:space:][:cntrl:]~^:?*\\[\\\\]')").message(&*format!(
        r"{field} must not hold spaces, control characters or any of ~ ^ : ? * [ \"
    ))
}

/// Sequences that git's names of branches lack.
pub(crate) fn branch_words(field: &str) -> Rule {
    Rule::new("!self.contains('..') && !self.contains('//') && !self.contains('@{') && self != '@'")
        .message(&*format!("{field} must not be '@' nor hold '..', '//' or '@{{'"))
}

/// Beginnings and ends that git's names of branches, and parts of them, lack.
pub(crate) fn branch_parts(field: &str) -> Rule {
    Rule::new("!self.matches('(^|/)[.]') && !self.matches('[.]lock(/|$)') && !self.matches('^[-/]') && !self.matches('[./]$')")
        .message(&*format!("{field} must not begin with '-' or '/', end with '.' or '/', nor have a part that begins with '.' or ends with '.lock'"))
}

/// What an agent is answered. Lengths of a schema count characters, the way to the pod counts bytes.
pub(crate) fn answer(field: &str) -> Rule {
    Rule::new("bytes(self).size() <= 4096").message(&*format!("{field} must be at most 4096 bytes"))
}
