//! Labels, annotations and the names of children.

/// Who manages an object: every child of ours carries it with the value [`MANAGER`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`].
pub const MANAGER: &str = "fabrica";
/// The UID of the Session a child belongs to.
pub const SESSION_ID: &str = "fabrica.dev/session-id";
/// The name of the Session a child belongs to: by it a retained volume is found again.
pub const SESSION_NAME: &str = "fabrica.dev/session-name";
/// The UID of the Run a child belongs to.
pub const RUN_ID: &str = "fabrica.dev/run-id";
/// The name of the Run a child belongs to.
pub const RUN_NAME: &str = "fabrica.dev/run-name";
/// The Session's mode, in lower case; of a Run `run`.
pub const MODE: &str = "fabrica.dev/mode";
/// The hash of the template a pod was made from.
pub const TEMPLATE_HASH: &str = "fabrica.dev/template-hash";
/// A Run's plan, on the pods of its attempts: a volume shows it as a file.
pub const PLAN: &str = "fabrica.dev/plan";
/// Any new value on the Secret `fabrica-trust` asks for new keys.
pub const ROTATE: &str = "fabrica.dev/rotate";
/// The trace that a Session or Run belongs to, as the W3C writes it: the gateway sets it where traces are made.
pub const TRACEPARENT: &str = "fabrica.dev/traceparent";

/// The pod of a Session.
pub fn pod(session: &str) -> String {
    format!("{session}-session")
}

/// The volume claim of a Session.
pub fn volume_claim(session: &str) -> String {
    format!("{session}-workspace")
}

/// The network policy of a Session.
pub fn network_policy(session: &str) -> String {
    format!("{session}-session")
}

/// The pod of one attempt of a Run.
pub fn run_pod(run: &str, attempt: usize) -> String {
    format!("{run}-run-{attempt}")
}

/// The volume claim of a Run. No Session's is called so, as theirs end otherwise.
pub fn run_volume_claim(run: &str) -> String {
    format!("{run}-run")
}

/// The network policy of a Run.
pub fn run_network_policy(run: &str) -> String {
    format!("{run}-run")
}

/// The ConfigMap with a Run's own copy of the plan that it refers to.
pub fn run_plan(run: &str) -> String {
    format!("{run}-run")
}

/// How the branches of Runs begin that name none.
pub const RUN_BRANCHES: &str = "fabrica/";

/// The branch of a Run that names none.
pub fn run_branch(uid: &str) -> String {
    /// Enough that two Runs of one repository do not meet.
    const CHARACTERS: usize = 8;
    format!("{RUN_BRANCHES}{}", uid.get(..CHARACTERS).unwrap_or(uid))
}
