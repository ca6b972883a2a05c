//! Labels, annotations and the names of a Session's children.

/// Who manages an object: every child of ours carries it with the value [`MANAGER`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`].
pub const MANAGER: &str = "fabrica";
/// The UID of the Session a child belongs to.
pub const SESSION_ID: &str = "fabrica.dev/session-id";
/// The name of the Session a child belongs to: by it a retained volume is found again.
pub const SESSION_NAME: &str = "fabrica.dev/session-name";
/// The Session's mode, in lower case.
pub const MODE: &str = "fabrica.dev/mode";
/// The hash of the template a pod was made from.
pub const TEMPLATE_HASH: &str = "fabrica.dev/template-hash";
/// Any new value on the Secret `fabrica-trust` asks for new keys.
pub const ROTATE: &str = "fabrica.dev/rotate";
/// Prefixes of keys that users must not set on pods: policies select by them.
pub const RESERVED_PREFIXES: [&str; 2] = ["fabrica.dev/", "app.kubernetes.io/"];

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
