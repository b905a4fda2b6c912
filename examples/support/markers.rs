//! Scaling events on the time axis: triangles that give the reason when pointed at.

use std::cmp::Ordering;
use std::fmt::Write;

use plotters::style::RGBColor;

use super::super::{Event, clock, escape};
use super::axis::Timeline;
use super::{DOWN, Drawn, Frame, UP, hex};

/// Half the width of a marker; events of one direction that are closer than this share a marker.
const HALF: f64 = 8.0;
/// How many events the tooltip of one marker lists.
const MAX_TOOLTIP_EVENTS: usize = 6;

/// How the scaling events of one direction are marked.
#[derive(Clone, Copy)]
pub(super) struct Direction {
    pub(super) order: Ordering,
    pub(super) name: &'static str,
    pub(super) mark: &'static str,
    pub(super) colour: RGBColor,
    pub(super) edge: &'static str,
    /// From the time axis down to the first corner of the triangle, which is drawn by `path`.
    pub(super) below: i32,
    pub(super) path: &'static str,
}

pub(super) const DIRECTIONS: [Direction; 2] = [
    Direction {
        order: Ordering::Greater,
        name: "scaled up",
        mark: "▲",
        colour: UP,
        edge: "#00523c",
        below: 24,
        path: "h16l-8-16z",
    },
    Direction {
        order: Ordering::Less,
        name: "scaled down",
        mark: "▼",
        colour: DOWN,
        edge: "#7a5400",
        below: 30,
        path: "h16l-8 16z",
    },
];

/// The events of one direction in time order, those too close to tell apart together.
pub(super) fn clusters<'a>(
    frame: &Frame,
    time: &Timeline,
    events: &'a [Event],
    order: Ordering,
) -> Vec<Vec<&'a Event>> {
    let visible = |t_s: f64| time.range.start <= t_s && t_s <= time.range.end;
    let mut events: Vec<&Event> =
        events.iter().filter(|event| event.to.cmp(&event.from) == order && visible(event.t_s)).collect();
    events.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
    let mut clusters: Vec<Vec<&Event>> = Vec::new();
    let mut next = f64::NEG_INFINITY;
    for event in events {
        let x = time.x(frame, event.t_s);
        if let Some(cluster) = clusters.last_mut().filter(|_| x < next) {
            cluster.push(event);
        } else {
            clusters.push(vec![event]);
            next = x + HALF;
        }
    }
    clusters
}

/// Marks scaling events under the time axis with triangles that give the reason on hover.
pub(super) fn mark_events(
    frame: &Frame,
    time: &Timeline,
    direction: &Direction,
    clusters: &[Vec<&Event>],
    overlay: &mut String,
) -> Drawn<()> {
    let Direction { edge, path, .. } = direction;
    let (y, fill) = (frame.bottom + direction.below, hex(direction.colour));
    writeln!(overlay, "<g class=\"events\" fill=\"{fill}\" stroke=\"{edge}\" stroke-width=\"2\">")?;
    for cluster in clusters {
        let Some(first) = cluster.first() else { continue };
        let (x, title) = (time.x(frame, first.t_s) - HALF, escape(&tooltip(cluster)));
        writeln!(overlay, "<path d=\"M{x:.1} {y}{path}\"><title>{title}</title></path>")?;
    }
    writeln!(overlay, "</g>")?;
    Ok(())
}

fn tooltip(cluster: &[&Event]) -> String {
    let line = |e: &&Event| format!("{}  {} → {}  {}", clock(e.t_s, true), e.from, e.to, e.text);
    let mut lines: Vec<String> = cluster.iter().take(MAX_TOOLTIP_EVENTS).map(line).collect();
    if cluster.len() > MAX_TOOLTIP_EVENTS {
        lines.push(format!("and {} more", cluster.len() - MAX_TOOLTIP_EVENTS));
    }
    lines.join("\n")
}
