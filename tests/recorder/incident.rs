//! An incident, as a service would have recorded it: traffic grows fivefold, the up delay keeps the pool small for five
//! minutes, an operator shortens it, and the process is replaced by another one that goes on from a snapshot.

use std::cell::RefCell;
use std::time::Duration;

use plimsoll::policy::Outpost;
use plimsoll::recorder::{Record, Recorder};
use plimsoll::{Command, Config, Observation, Policy, Rate, Timestamp, WorkerEvent, WorkerId};

/// From an order to its worker.
const COLD_START: u64 = 40;
const TICK: u64 = 20;

/// As it was when it began: Outpost's defaults for the delays.
pub(crate) fn config() -> Config {
    Config::new(Policy::Outpost(Outpost::new(Rate::per_second(2.5).unwrap())), 1, 10)
        .and_then(|config| config.with_up_delay(Duration::from_secs(300)))
        .and_then(|config| config.with_down_delay(Duration::from_secs(1_200)))
        .unwrap()
        .with_event_log(8)
}

/// The service's side: its workers, by the seconds at which they are ready.
#[derive(Default)]
struct Service {
    workers: Vec<u64>,
    waiting: u64,
}

impl Service {
    fn tick<S: FnMut(&Record)>(&mut self, recorder: &mut Recorder<S>, secs: u64) {
        let now = Timestamp::from_secs(secs);
        let mut tell = |observation| {
            let _ = recorder.observe(now, observation);
        };
        for (id, ready) in (1..).map(WorkerId).zip(&self.workers) {
            if (secs - TICK..secs).contains(ready) {
                tell(Observation::worker(id, WorkerEvent::Ready));
                tell(Observation::worker(id, WorkerEvent::Busy(1)));
            }
        }
        let arrived = if (100..900).contains(&secs) { 12 } else { 2 } * TICK;
        let ready = self.workers.iter().filter(|ready| **ready < secs).count() as u64;
        self.waiting = (self.waiting + arrived).saturating_sub(ready * 3 * TICK);
        tell(Observation::Requests { count: narrow(arrived), over: Duration::from_secs(TICK) });
        let oldest = Duration::from_millis(self.waiting * 77);
        tell(Observation::queue(narrow(self.waiting), (self.waiting > 0).then_some(oldest)));
        self.carry_out(recorder, secs);
    }

    fn carry_out<S: FnMut(&Record)>(&mut self, recorder: &mut Recorder<S>, secs: u64) {
        let now = Timestamp::from_secs(secs);
        for command in recorder.decide(now).commands {
            if let Command::Start { count } = command {
                for _ in 0..count {
                    self.workers.push(secs + COLD_START);
                    let id = WorkerId(self.workers.len() as u64);
                    let _ = recorder.observe(now, Observation::worker(id, WorkerEvent::Ordered));
                }
            }
        }
    }
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap()
}

/// The whole log.
pub(crate) fn log() -> String {
    let log = RefCell::new(String::new());
    let sink = |record: &Record| log.borrow_mut().push_str(&super::line(record));
    let mut recorder = Recorder::new(config(), Timestamp::ORIGIN, sink);
    let mut service = Service::default();
    service.carry_out(&mut recorder, 0);
    for secs in (TICK..600).step_by(20) {
        service.tick(&mut recorder, secs);
        let at = Timestamp::from_secs(secs);
        match secs {
            // A metrics system divides by zero, and a worker is mixed up with another service's.
            160 => drop(recorder.observe(at, Observation::ArrivalRate { per_second: f64::NAN })),
            180 => drop(recorder.observe(at, Observation::worker(WorkerId(77), WorkerEvent::Idle))),
            200 => drop(recorder.observe(at, Observation::ArrivalRate { per_second: 0.1 + 0.2 })),
            // A clock is set back by a minute and a half.
            220 => drop(recorder.decide(Timestamp::from_secs(130))),
            460 => recorder.reconfigure(at, config().with_up_delay(Duration::from_secs(30)).unwrap()),
            _ => {}
        }
    }
    let mut recorder = Recorder::resume(recorder.into_autoscaler(), sink);
    for secs in (600..=720).step_by(20) {
        service.tick(&mut recorder, secs);
    }
    drop(recorder);
    log.into_inner()
}
