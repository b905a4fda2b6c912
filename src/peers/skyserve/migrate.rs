//! From a `replica_policy` to the nearest native configuration.
