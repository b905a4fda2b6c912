//! What classes there are, and how the service that they serve is scaled.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::SettingsError;
use super::waiting::Waiting;
use super::{Capacity, ClassId, Price};
use crate::config::{Config, LONGEST};
use crate::error::ConfigError;
use crate::policy::Policy;
use crate::time::optional_span;
use crate::units::Share;

/// As many classes as are told apart.
const MOST_CLASSES: usize = 16;
/// A worker that takes so many times its stated cold start is given up, as it is when cold starts are measured.
const DEADLINE_FACTOR: u32 = 4;

/// Workers of one kind: an accelerator, a way of buying it, or both.
///
/// ```
/// use plimsoll::classes::Class;
///
/// let class: Class = serde_json::from_str(
///     r#"{"name": "A100 spot", "price": 1.2, "limit": 8, "capacity": 2.5, "cold_start": "90s", "spot": true}"#,
/// )?;
/// assert_eq!((class.limit, class.spot, class.floor), (8, true, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "plain data; `Class::new` keeps a literal short")]
pub struct Class {
    /// What people call it; every class has a name of its own.
    pub name: String,
    /// What one worker costs for an hour.
    pub price: Price,
    /// The most workers: the quota, or what one is ready to pay for.
    pub limit: u32,
    /// What one worker can do, in reference workers. Left out, it is learned from the requests that are told with their
    /// class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// What is taken for the capacity until it is learned; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Capacity>,
    /// Requests that one worker serves at once; the service's `concurrency` if left out. Only what is learned needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// From a worker's order to its first request, if it is known: four times as long is too long. Left out, the service's
    /// `start_timeout` holds until it has been measured. With [`Waiting`] it weighs in the choice of class.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_span")]
    pub cold_start: Option<Duration>,
    /// Its place where the order counts before the price: a class is called on for what those of a lower rank do not have.
    /// 0 by default: the price decides.
    #[serde(default)]
    pub rank: u8,
    /// Workers that are taken before those of other classes, as far as workers are wanted at all. 0 by default.
    #[serde(default)]
    pub floor: u32,
    /// The provider may take its workers back. A worker that is taken back counts as a refusal: others are ordered at once,
    /// and the class is asked again after the back-off. Where workers are told by counts, that is a ready one which goes without
    /// having been let go, and is not among the failed ones.
    #[serde(default)]
    pub spot: bool,
    /// Stopped, loaded workers to keep beside the others (flash boot). 0 by default.
    #[serde(default)]
    pub standby: u32,
}

impl Class {
    /// At most `limit` workers of this name at that price, each a reference worker; every other setting at its default.
    #[must_use]
    pub fn new(name: impl Into<String>, price: Price, limit: u32) -> Self {
        Self {
            name: name.into(),
            price,
            limit,
            capacity: Some(Capacity::ONE),
            prior: None,
            slots: None,
            cold_start: None,
            rank: 0,
            floor: 0,
            spot: false,
            standby: 0,
        }
    }

    /// Worth so many reference workers each.
    #[must_use]
    pub fn with_capacity(self, capacity: Capacity) -> Self {
        Self { capacity: Some(capacity), ..self }
    }

    /// Worth what is learned, and `prior` until then.
    #[must_use]
    pub fn learned(self, prior: Capacity) -> Self {
        Self { capacity: None, prior: Some(prior), ..self }
    }

    /// Of workers that the provider may take back.
    #[must_use]
    pub fn spot(self) -> Self {
        Self { spot: true, ..self }
    }
}

/// A service whose workers are of several classes. Every value is usable: whatever could be wrong is refused when it is
/// made.
///
/// | setting | default | why |
/// |---|---|---|
/// | `service` | required | how many *reference workers* are wanted: any [`Config`], its bounds and policies in workers of capacity 1 |
/// | `classes` | required | 1 to 16, what each costs and can do, see [`Class`]; of two that are alike the first is taken |
/// | `stand_ins` | false | they cost a worker twice for every spot worker's cold start; worth it where a spot market is thin |
/// | `waiting` | none | what those who wait are worth is nobody's to guess: without it the price alone decides, see [`Waiting`] |
/// | `exchange_saving` | 0.1 | an exchanged worker is paid twice for a cold start: at a tenth it has paid for itself after ten of them |
///
/// ```
/// use plimsoll::classes::Settings;
///
/// let settings: Settings = serde_json::from_str(
///     r#"{
///         "service": {"replica_policy": {"min_replicas": 0, "max_replicas": 20, "target_qps_per_replica": 2.5}},
///         "classes": [
///             {"name": "A100 spot", "price": 1.2, "limit": 8, "capacity": 1, "spot": true},
///             {"name": "A100", "price": 3.0, "limit": 8, "capacity": 1, "floor": 1},
///             {"name": "H100", "price": 5.5, "limit": 4, "prior": 2}
///         ],
///         "stand_ins": true
///     }"#,
/// )?;
/// assert_eq!(settings.classes().len(), 3);
///
/// let error = serde_json::from_str::<Settings>(
///     r#"{"service": {"replicas": 2}, "classes": [{"name": "A100", "price": 3, "limit": 2, "floor": 3}]}"#,
/// ).unwrap_err().to_string();
/// assert!(error.starts_with("classes[0].floor (3) must be at most its limit (2): lower the floor or raise the limit"), "{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "File", into = "File")]
pub struct Settings {
    service: Config,
    classes: Vec<Class>,
    stand_ins: bool,
    waiting: Option<Waiting>,
    exchange_saving: Share,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    service: Config,
    classes: Vec<Class>,
    #[serde(default)]
    stand_ins: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
    #[serde(default = "a_tenth")]
    exchange_saving: Share,
}

const fn a_tenth() -> Share {
    Share::TENTH
}

impl TryFrom<File> for Settings {
    type Error = SettingsError;

    fn try_from(file: File) -> Result<Self, SettingsError> {
        let File { service, classes, stand_ins, waiting, exchange_saving } = file;
        let settings = Self { stand_ins, exchange_saving, ..Self::new(service, classes)? };
        waiting.map_or(Ok(settings.clone()), |waiting| settings.with_waiting(waiting))
    }
}

impl From<Settings> for File {
    fn from(settings: Settings) -> Self {
        let Settings { service, classes, stand_ins, waiting, exchange_saving } = settings;
        Self { service, classes, stand_ins, waiting, exchange_saving }
    }
}

impl Settings {
    /// A service, in reference workers, and its classes; every other setting at its default.
    ///
    /// # Errors
    /// The first value that cannot be meant, with what to do about it.
    pub fn new(service: Config, classes: Vec<Class>) -> Result<Self, SettingsError> {
        if classes.is_empty() || classes.len() > MOST_CLASSES {
            return Err(SettingsError::Count { count: classes.len(), most: MOST_CLASSES });
        }
        if service.standby() > 0 {
            return Err(SettingsError::ServiceStandby { workers: service.standby() });
        }
        for (at, class) in classes.iter().enumerate() {
            if class.name.is_empty() || classes.iter().take(at).any(|other| other.name == class.name) {
                return Err(SettingsError::Name { class: at, name: class.name.clone() });
            }
            check(at, class)?;
        }
        let settings = Self { service, classes, stand_ins: false, waiting: None, exchange_saving: Share::TENTH };
        for id in settings.ids() {
            settings.class_config(id)?;
        }
        Ok(settings)
    }

    /// Whether workers of other classes stand in for spot workers that are not ready.
    #[must_use]
    pub const fn with_stand_ins(mut self, stand_ins: bool) -> Self {
        self.stand_ins = stand_ins;
        self
    }

    /// What it is worth that workers are ready sooner.
    ///
    /// # Errors
    /// If the stay is zero or too long.
    pub fn with_waiting(mut self, waiting: Waiting) -> Result<Self, SettingsError> {
        if waiting.stay.is_zero() || waiting.stay > LONGEST {
            return Err(SettingsError::Stay { value: waiting.stay, most: LONGEST });
        }
        self.waiting = Some(waiting);
        Ok(self)
    }

    /// The share of what running workers cost that must be saved for them to be exchanged.
    #[must_use]
    pub const fn with_exchange_saving(mut self, saving: Share) -> Self {
        self.exchange_saving = saving;
        self
    }

    /// How many reference workers are wanted.
    #[must_use]
    pub const fn service(&self) -> &Config {
        &self.service
    }

    /// The classes.
    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// One class, by its place in the list.
    #[must_use]
    pub fn class(&self, id: ClassId) -> Option<&Class> {
        self.classes.get(usize::from(id.0))
    }

    /// A class's place in the list, by its name.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<ClassId> {
        self.ids().zip(&self.classes).find(|(_, class)| class.name == name).map(|(id, _)| id)
    }

    /// Every class's place in the list.
    pub fn ids(&self) -> impl Iterator<Item = ClassId> + use<> {
        (0..u8::try_from(self.classes.len()).unwrap_or(u8::MAX)).map(ClassId)
    }

    /// Whether others stand in for spot workers that are not ready.
    #[must_use]
    pub const fn stand_ins(&self) -> bool {
        self.stand_ins
    }

    /// What it is worth that workers are ready sooner, if anything.
    #[must_use]
    pub const fn waiting(&self) -> Option<Waiting> {
        self.waiting
    }

    /// The share of their cost that must be saved for running workers to be exchanged.
    #[must_use]
    pub const fn exchange_saving(&self) -> Share {
        self.exchange_saving
    }

    /// How one class's workers are ordered and let go: the service's own ways, and as many as it is told.
    pub(super) fn class_config(&self, id: ClassId) -> Result<Config, ConfigError> {
        let (limit, standby, cold_start) =
            self.class(id).map_or((1, 0, None), |class| (class.limit, class.standby, class.cold_start));
        let service = &self.service;
        let start_timeout = cold_start.map_or(service.start_timeout(), |span| span.saturating_mul(DEADLINE_FACTOR));
        let backoff = service.backoff();
        let config = Config::new(Policy::Fixed(0), 0, limit)?
            .with_standby(standby)
            .with_drain_timeout(service.drain_timeout())?
            .with_order_timeout(service.order_timeout())?
            .with_start_timeout(start_timeout.min(LONGEST))?
            // Classes that failed together do not come back together.
            .with_backoff(backoff.with_seed(backoff.seed.wrapping_add(u64::from(id.0))))?
            .with_breaker(service.breaker())?
            .with_event_log(0);
        service.idle_timeout().map_or(Ok(config.clone()), |timeout| config.with_idle_timeout(timeout))
    }

    /// Whether a class's capacity is known from the beginning, so that others are measured by it: it is given, or the class
    /// is the first of those of which none is.
    pub(super) fn is_reference(&self, id: ClassId) -> bool {
        let given = |class: &Class| class.capacity.is_some();
        self.class(id).is_some_and(given) || id.0 == 0 && !self.classes.iter().any(given)
    }

    /// Requests that a worker of a class serves at once.
    pub(super) fn slots(&self, id: ClassId) -> u32 {
        self.class(id).and_then(|class| class.slots).unwrap_or(self.service.concurrency())
    }

    /// What a class's capacity is before anything is learned.
    pub(super) fn prior(class: &Class) -> Capacity {
        class.capacity.or(class.prior).unwrap_or(Capacity::ONE)
    }
}

fn check(at: usize, class: &Class) -> Result<(), SettingsError> {
    let zero = |setting, remedy| Err(SettingsError::Zero { class: at, setting, remedy });
    if class.limit == 0 {
        return zero("limit", "leave a class out that may have no worker");
    }
    if class.slots == Some(0) {
        return zero("slots", "a worker serves at least one request at a time");
    }
    for (setting, value) in [("floor", class.floor), ("standby", class.standby)] {
        if value > class.limit {
            return Err(SettingsError::AboveLimit { class: at, setting, value, limit: class.limit });
        }
    }
    if let Some((capacity, prior)) = class.capacity.zip(class.prior) {
        return Err(SettingsError::GivenAndLearned { class: at, capacity, prior });
    }
    match class.cold_start {
        Some(value) if value.is_zero() || value > LONGEST => {
            Err(SettingsError::ColdStart { class: at, value, most: LONGEST })
        }
        _ => Ok(()),
    }
}
