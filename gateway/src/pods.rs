//! Pods.
#[derive(Debug, Default)]
pub struct Pods;
