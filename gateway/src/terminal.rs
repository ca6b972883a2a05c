//! Terminal sockets: decided here, then a raw tunnel to the pod.

pub mod registry;
