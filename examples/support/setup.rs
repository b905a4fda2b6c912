//! What a simulation starts from, on the command line: the pool that is assumed, and how a workload is read.

use std::path::PathBuf;
use std::time::Duration;

use plimsoll::config::Expectations;
use plimsoll::sim::{Options, Prices, ReadOptions, Workload};
use plimsoll::{Config, NotARate, Rate, Share};

use crate::input;

#[derive(Debug, clap::Args)]
pub(crate) struct Setup {
    /// How the simulated platform behaves and what it costs, instead of the next four: .yaml, .yml, .toml or .json
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cold_start", "warm_start", "start_spread", "price"])]
    platform: Option<PathBuf>,
    /// From a worker's order to its first request
    #[arg(long, value_name = "TIME", value_parser = input::duration, default_value = "20s")]
    cold_start: Duration,
    /// The same for a worker in standby
    #[arg(long, value_name = "TIME", value_parser = input::duration, default_value = "2s")]
    warm_start: Duration,
    /// Vary each start by up to this share of it, such as 0.2
    #[arg(long, value_name = "SHARE", value_parser = input::share, default_value = "0")]
    start_spread: Share,
    /// What a worker costs in an hour
    #[arg(long, value_name = "PRICE", value_parser = price, default_value = "2.5")]
    price: f64,
    /// The seed of all chance [default: 0, or the platform's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Keep only the requests of this pool (files with a `pool` column)
    #[arg(long, value_name = "N")]
    pub(crate) pool: Option<u32>,
    /// Service time of each request (`t_s,requests` files; 20 ms unless given)
    #[arg(long, value_name = "TIME", value_parser = input::duration)]
    service: Option<Duration>,
    /// Divide the number of requests (`t_s,requests` files)
    #[arg(long, value_name = "N")]
    divide: Option<u64>,
    /// Refuse workloads with more requests than this, at 24 bytes each [default: 50 million]
    #[arg(long, value_name = "N")]
    max_requests: Option<usize>,
}

impl Setup {
    pub(crate) fn options(&self) -> Result<Options, String> {
        let mut options = Options::default();
        if let Some(path) = &self.platform {
            options = input::platform(path)?;
        } else {
            (options.cold_start, options.warm_start) = (self.cold_start, self.warm_start);
            (options.start_spread, options.price_per_hour) = (self.start_spread, self.price);
        }
        options.seed = self.seed.unwrap_or(options.seed);
        Ok(options)
    }

    /// Only what was given is passed on: what does not fit the file is for the reader to refuse.
    pub(crate) fn read_options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        if let Some(pool) = self.pool {
            options = options.with_pool(pool);
        }
        if let Some(service) = self.service {
            options = options.with_service(service);
        }
        if let Some(divide) = self.divide {
            options = options.with_divide_by(divide);
        }
        if let Some(requests) = self.max_requests {
            options = options.with_max_requests(requests);
        }
        options
    }
}

/// What the cost of a run is of, in words.
pub(crate) fn cost(options: &Options) -> String {
    let plain = options.classes.is_empty() && options.prices == Prices::default();
    if plain { format!("Cost at {} an hour", options.price_per_hour) } else { "Cost".to_owned() }
}

fn price(text: &str) -> Result<f64, String> {
    let price = text.parse::<f64>().ok().filter(|price| price.is_finite() && *price >= 0.0);
    price.ok_or_else(|| "expected a number, 0 or more, such as 2.5".to_owned())
}

/// What the lints are told: the workload's own rates and service time, the cold start that is replayed, and the sojourn
/// target as the latency that is hoped for.
pub(crate) fn expectations(
    workload: &Workload,
    config: &Config,
    cold_start: Duration,
) -> Result<Expectations, NotARate> {
    let expected = Expectations::default().with_cold_start(cold_start).with_latency_target(config.sojourn_target());
    let (requests, seconds) = (workload.requests(), workload.duration().as_secs_f64());
    if requests.is_empty() || seconds <= 0.0 {
        return Ok(expected);
    }
    let mean = requests.len() as f64 / seconds;
    let minute = |arrival: plimsoll::Timestamp| arrival.as_nanos() / 60_000_000_000;
    let minutes = requests.chunk_by(|a, b| minute(a.arrival) == minute(b.arrival));
    let busiest = minutes.map(<[_]>::len).max().unwrap_or(0) as f64 / 60.0;
    let service = workload.offered_load() / mean;
    Ok(expected
        .with_mean_qps(Rate::per_second(mean)?)
        .with_peak_qps(Rate::per_second(busiest.max(mean))?)
        .with_service_time(Duration::try_from_secs_f64(service).unwrap_or_default()))
}
