//! The peers' decisions, recorded from their real code, step for step.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics where it fails")]

#[path = "peers/vectors.rs"]
mod vectors;

#[path = "peers/knative.rs"]
mod knative;

#[path = "peers/kubernetes.rs"]
mod kubernetes;
