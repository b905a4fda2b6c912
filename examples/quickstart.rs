//! A platform's loop: sleep until something happens or is due, observe, decide, carry out.
use core::{error::Error, time::Duration};
use plimsoll::adapter::{Clock, SystemClock};
use plimsoll::{Autoscaler, Command, Config, Observation, WorkerEvent as Event, WorkerId, policy::RunPod};
use std::{sync::mpsc, thread};

fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::runpod(RunPod::request_count(1), 0, 4, Duration::from_millis(200))?
        .with_window(Duration::from_millis(500))?; // A new autoscaler lets nobody go before it has seen a whole window.
    let clock = SystemClock::new();
    let mut autoscaler = Autoscaler::new(config, clock.now());
    let (tell, facts) = mpsc::channel(); // Yours: what the front door and the workers report.
    tell.send(Observation::arrived(2))?;
    while autoscaler.events().len() < 2 || autoscaler.status().committed > 0 {
        let sleep = autoscaler.next_wakeup().map_or(Duration::MAX, |at| at.saturating_since(clock.now()));
        if let Ok(fact) = facts.recv_timeout(sleep) {
            autoscaler.observe(clock.now(), fact)?;
        }
        let decision = autoscaler.decide(clock.now());
        for command in &decision.commands {
            println!("{command:?}, because {}", autoscaler.events().last().ok_or("no event")?);
            match *command {
                Command::Start { count } => (0..count).for_each(|id| start(WorkerId(id.into()), tell.clone())),
                Command::Stop { id, .. } => tell.send(Observation::worker(id, Event::Gone))?,
                _ => {} // There are a few more, for draining and for standby workers.
            }
        }
    }
    Ok(())
}

/// Yours: a worker that is ready after 100 ms, serves one request in 150 ms and has nothing to do from then on.
fn start(id: WorkerId, tell: mpsc::Sender<Observation>) {
    let [cold_start, service] = [100, 150].map(Duration::from_millis);
    let ready = [Observation::worker(id, Event::Ready), Observation::started(cold_start)];
    let done = [Observation::finished(service), Observation::worker(id, Event::Idle)];
    let life = [(cold_start, ready), (service, done)];
    thread::spawn(move || life.map(|(after, facts)| (thread::sleep(after), facts.map(|fact| tell.send(fact)))));
}
