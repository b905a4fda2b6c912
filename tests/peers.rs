//! The peers' decisions, recorded from their real code, step for step.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics where it fails")]

#[path = "peers/hostile.rs"]
mod hostile;
#[path = "peers/keda.rs"]
mod keda;
#[path = "peers/ray_serve.rs"]
mod ray_serve;
#[path = "peers/skyserve.rs"]
mod skyserve;
#[path = "peers/vectors.rs"]
mod vectors;

#[path = "peers/knative.rs"]
mod knative;

#[path = "peers/kubernetes.rs"]
mod kubernetes;
