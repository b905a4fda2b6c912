//! What a specification comes to: targets, rules and a calculator, with every default filled in and every rule of
//! Kubernetes' own validation applied.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::{
    Controller, MetricKind, MetricSpec, MetricTarget, NamedMetric, ResourceMetric, ScalingRules, Spec, SpecError,
    TargetKind,
};
use crate::peers::kubernetes::behavior::{Both, PolicyKind, Rules, ScalingPolicy, SelectPolicy};
use crate::peers::kubernetes::quantity::Quantity;
use crate::peers::kubernetes::replicas::{Calculator, Release, Target, Tolerance};

impl Spec {
    pub(in crate::peers::kubernetes) fn min(&self) -> i32 {
        self.min_replicas.unwrap_or(1)
    }

    pub(in crate::peers::kubernetes) fn validate_bounds(&self) -> Result<(), SpecError> {
        let (min, max) = (self.min(), self.max_replicas);
        SpecError::check(max > 0, "maxReplicas", &max, "be above zero", "allow at least one replica")?;
        SpecError::check(min >= 0, "minReplicas", &min, "be 0 or above", "1 is the default")?;
        let outside =
            self.metrics.iter().any(|metric| matches!(metric.kind, MetricKind::Object | MetricKind::External));
        let wakes = min > 0 || outside;
        let remedy = "without pods only an Object or External metric is left; add one, or keep one replica";
        SpecError::check(wakes, "minReplicas", &min, "be at least 1", remedy)?;
        let remedy = "lower minReplicas or raise maxReplicas";
        SpecError::check(min <= max, "minReplicas", &min, "be at most maxReplicas", remedy)
    }

    /// The targets of the metrics; without metrics 80 % of the CPU.
    pub(in crate::peers::kubernetes) fn targets(&self) -> Result<Vec<Target>, SpecError> {
        if self.metrics.is_empty() {
            return Ok(vec![Target::Utilization { percent: 80, cpu: true }]);
        }
        let target = |(index, metric): (usize, &MetricSpec)| metric.target(&format!("metrics[{index}]"));
        self.metrics.iter().enumerate().map(target).collect()
    }

    /// The rules of a behavior with every default filled in.
    pub(in crate::peers::kubernetes) fn rules(&self, controller: &Controller) -> Result<Option<Both>, SpecError> {
        let Some(behavior) = &self.behavior else { return Ok(None) };
        let per_15_s = |kind, value| ScalingPolicy { kind, value, period_seconds: 15 };
        let percent = per_15_s(PolicyKind::Percent, 100);
        let up = vec![per_15_s(PolicyKind::Pods, 4), percent];
        let (scale_up, scale_down) = (behavior.scale_up.as_ref(), behavior.scale_down.as_ref());
        Ok(Some(Both {
            up: complete(scale_up, "behavior.scaleUp", up, Duration::ZERO)?,
            down: complete(scale_down, "behavior.scaleDown", vec![percent], controller.downscale_stabilization)?,
        }))
    }

    /// The calculator that the settings give.
    pub(in crate::peers::kubernetes) fn calculator(&self, controller: &Controller) -> Result<Calculator, SpecError> {
        let own = controller.tolerance;
        let fits = own.is_finite() && own >= 0.0;
        SpecError::check(fits, "tolerance", &own, "be 0 or above", "0.1 is the controller's default")?;
        let period = controller.sync_period;
        let remedy = "15s is the controller's default";
        SpecError::check(!period.is_zero(), "sync period", &"0 s", "be above zero", remedy)?;
        let tolerance = |rules: Option<&ScalingRules>, field| {
            let Some(given) = rules.and_then(|rules| rules.tolerance) else { return Ok(own) };
            SpecError::check(given >= Quantity::default(), field, &given, "be 0 or above", "leave it out for 0.1")?;
            let known = controller.release == Release::Current;
            SpecError::check(known, field, &given, "be left out before v1.33", "set the controller's tolerance")?;
            Ok(given.as_f64())
        };
        let behavior = self.behavior.as_ref();
        Ok(Calculator {
            release: controller.release,
            tolerance: Tolerance {
                up: tolerance(behavior.and_then(|both| both.scale_up.as_ref()), "behavior.scaleUp.tolerance")?,
                down: tolerance(behavior.and_then(|both| both.scale_down.as_ref()), "behavior.scaleDown.tolerance")?,
            },
            cpu_initialization_period: controller.cpu_initialization_period,
            initial_readiness_delay: controller.initial_readiness_delay,
        })
    }
}

fn complete(
    rules: Option<&ScalingRules>,
    field: &str,
    policies: Vec<ScalingPolicy>,
    stabilization: Duration,
) -> Result<Rules, SpecError> {
    let Some(rules) = rules else { return Ok(Rules { select: SelectPolicy::Max, policies, stabilization }) };
    let policies = rules.policies.clone().unwrap_or(policies);
    let remedy = "leave policies out for the default, or write selectPolicy: Disabled to forbid the change";
    SpecError::check(!policies.is_empty(), format!("{field}.policies"), &"[]", "hold a policy", remedy)?;
    for (index, policy) in policies.iter().enumerate() {
        let name = |part| format!("{field}.policies[{index}].{part}");
        let (value, period) = (policy.value, policy.period_seconds);
        let remedy = "write selectPolicy: Disabled to forbid the change";
        SpecError::check(value > 0, name("value"), &value, "be above zero", remedy)?;
        let fits = (1..=1_800).contains(&period);
        SpecError::check(fits, name("periodSeconds"), &period, "be from 1 to 1800", "15 is the default policies'")?;
    }
    let stabilization = match rules.stabilization_window_seconds {
        None => stabilization,
        Some(seconds) => {
            let name = format!("{field}.stabilizationWindowSeconds");
            let fits = (0..=3_600).contains(&seconds);
            SpecError::check(fits, name, &seconds, "be from 0 to 3600", "leave it out for the default")?;
            Duration::from_secs(seconds.unsigned_abs().into())
        }
    };
    Ok(Rules { select: rules.select_policy.unwrap_or_default(), policies, stabilization })
}

impl MetricSpec {
    fn target(&self, field: &str) -> Result<Target, SpecError> {
        let parts = [
            (MetricKind::Resource, "resource", self.resource.as_ref().map(|part| &part.target)),
            (
                MetricKind::ContainerResource,
                "containerResource",
                self.container_resource.as_ref().map(|part| &part.target),
            ),
            (MetricKind::Pods, "pods", self.pods.as_ref().map(|part| &part.target)),
            (MetricKind::Object, "object", self.object.as_ref().map(|part| &part.target)),
            (MetricKind::External, "external", self.external.as_ref().map(|part| &part.target)),
        ];
        let mut found = None;
        for (kind, name, part) in parts {
            let there = part.is_some() == (kind == self.kind);
            let remedy = "write the part that type names, and no other";
            let value = if part.is_some() { "given" } else { "missing" };
            SpecError::check(there, format!("{field}.{name}"), &value, "be what type names", remedy)?;
            found = found.or(part.map(|target| (name, target)));
        }
        let belongs = |there: bool, named: bool, part: &str, rule| {
            let value = if there { "given" } else { "missing" };
            SpecError::check(there == named, format!("{field}.{part}"), &value, rule, "Kubernetes has it there alone")
        };
        let container = |part: &Option<ResourceMetric>| part.as_ref().is_some_and(|part| part.container.is_some());
        let object = |part: &Option<NamedMetric>| part.as_ref().is_some_and(|part| part.described_object.is_some());
        let rule = "be given for a ContainerResource, and for nothing else";
        belongs(container(&self.resource), false, "resource.container", rule)?;
        let named = self.container_resource.is_some();
        belongs(container(&self.container_resource), named, "containerResource.container", rule)?;
        let rule = "be given for an Object, and for nothing else";
        belongs(object(&self.object), self.object.is_some(), "object.describedObject", rule)?;
        belongs(object(&self.pods), false, "pods.describedObject", rule)?;
        belongs(object(&self.external), false, "external.describedObject", rule)?;
        let (name, target) = found.unwrap_or(("", &MetricTarget::NONE));
        let cpu = |part: &Option<ResourceMetric>| part.as_ref().is_some_and(|part| part.name == "cpu");
        let cpu = cpu(&self.resource) || cpu(&self.container_resource);
        target.resolve(self.kind, cpu, &format!("{field}.{name}.target"))
    }
}

impl MetricTarget {
    fn resolve(&self, metric: MetricKind, cpu: bool, field: &str) -> Result<Target, SpecError> {
        let per_pod = !matches!(metric, MetricKind::Object | MetricKind::External);
        let kind = match self.kind {
            TargetKind::Utilization => matches!(metric, MetricKind::Resource | MetricKind::ContainerResource),
            TargetKind::Value => !per_pod,
            TargetKind::AverageValue => true,
        };
        let remedy = "resources have Utilization or AverageValue, pods AverageValue, others Value or AverageValue";
        SpecError::check(kind, format!("{field}.type"), &format!("{:?}", self.kind), "suit the metric", remedy)?;
        let parts = [
            (TargetKind::Utilization, "averageUtilization", self.average_utilization.map(i64::from)),
            (TargetKind::Value, "value", self.value.map(Quantity::milli)),
            (TargetKind::AverageValue, "averageValue", self.average_value.map(Quantity::milli)),
        ];
        let mut amount = 0;
        for (kind, name, part) in parts {
            let field = format!("{field}.{name}");
            let there = part.is_some() == (kind == self.kind);
            let value = if part.is_some() { "given" } else { "missing" };
            SpecError::check(
                there,
                &field,
                &value,
                "be what type names",
                "write the part that type names, and no other",
            )?;
            if let Some(value) = part {
                SpecError::check(value > 0, field, &value, "be above zero", "give what one pod should take")?;
                amount = value;
            }
        }
        Ok(match self.kind {
            TargetKind::Utilization => Target::Utilization { percent: i32::try_from(amount).unwrap_or(i32::MAX), cpu },
            TargetKind::Value => Target::Value(amount),
            TargetKind::AverageValue if per_pod => Target::PerPod { average: amount, cpu },
            TargetKind::AverageValue => Target::AverageValue(amount),
        })
    }
}
