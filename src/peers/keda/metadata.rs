//! The manifest around a scaled object: what its annotations switch.

use alloc::collections::BTreeMap;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::ScaledObject;
use crate::peers::invalid::Invalid;

/// What annotations switch, as they are at one poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "four switches of the peer")]
#[expect(clippy::exhaustive_structs, reason = "plain data with the peer's four switches")]
pub struct Annotations {
    /// `autoscaling.keda.sh/paused`: nothing is done.
    pub paused: bool,
    /// `autoscaling.keda.sh/paused-scale-in`: nothing goes down.
    pub paused_scale_in: bool,
    /// `autoscaling.keda.sh/paused-scale-out`: nothing goes up.
    pub paused_scale_out: bool,
    /// `autoscaling.keda.sh/force-activation`: active whatever the triggers say.
    pub force_activation: bool,
}

impl Annotations {
    /// Nothing annotated.
    pub const NONE: Self =
        Self { paused: false, paused_scale_in: false, paused_scale_out: false, force_activation: false };
}

/// A `ScaledObject` manifest: the spec and what the annotations switch.
///
/// ```
/// use plimsoll::peers::keda::Manifest;
///
/// let yaml = r#"
/// apiVersion: keda.sh/v1alpha1
/// kind: ScaledObject
/// metadata: {name: worker, annotations: {autoscaling.keda.sh/paused-scale-in: "true"}}
/// spec:
///   scaleTargetRef: {name: worker}
///   maxReplicaCount: 20
///   triggers:
///   - type: rabbitmq
///     metadata: {queueName: jobs, mode: QueueLength, value: "5"}
/// "#;
/// let manifest: Manifest = serde_saphyr::from_str(yaml)?;
/// assert_eq!(manifest.spec.triggers[0].target, 5_000);
/// assert!(manifest.annotations.paused_scale_in);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "File")]
#[non_exhaustive]
pub struct Manifest {
    /// The scaled object.
    pub spec: ScaledObject,
    /// What its annotations switch.
    pub annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    spec: ScaledObject,
    #[serde(default, rename = "status")]
    _status: Option<serde::de::IgnoredAny>,
}

/// An object's metadata holds much that is no setting of KEDA's.
#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl TryFrom<File> for Manifest {
    type Error = Invalid;

    fn try_from(file: File) -> Result<Self, Invalid> {
        if let Some(version) = file.api_version.filter(|version| !version.starts_with("keda.sh/")) {
            return Err(Invalid::new(
                "apiVersion",
                version,
                "must be one of keda.sh",
                "give the ScaledObject manifest",
            ));
        }
        if let Some(kind) = file.kind.filter(|kind| kind != "ScaledObject") {
            let remedy = "jobs (ScaledJob) are not autoscaled services; give the ScaledObject manifest";
            return Err(Invalid::new("kind", kind, "must be ScaledObject", remedy));
        }
        let mut annotations = Annotations::NONE;
        for (name, value) in &file.metadata.annotations {
            let Some(name) = name.strip_prefix("autoscaling.keda.sh/") else { continue };
            let slot = match name {
                "paused" => &mut annotations.paused,
                "paused-scale-in" => &mut annotations.paused_scale_in,
                "paused-scale-out" => &mut annotations.paused_scale_out,
                "force-activation" => &mut annotations.force_activation,
                _ => {
                    let remedy = "paused, paused-scale-in, paused-scale-out and force-activation are; for a pause at a \
                                  count, set the replicas to it and annotate paused";
                    return Err(Invalid::new("autoscaling.keda.sh annotation", name, "is not supported", remedy));
                }
            };
            *slot = match value.as_str() {
                "true" | "True" | "TRUE" | "1" | "t" | "T" => true,
                "false" | "False" | "FALSE" | "0" | "f" | "F" => false,
                _ => {
                    let rule = "must be \"true\" or \"false\"";
                    return Err(Invalid::new("autoscaling.keda.sh annotation", value, rule, "write one of the two"));
                }
            };
        }
        Ok(Self { spec: file.spec, annotations })
    }
}
