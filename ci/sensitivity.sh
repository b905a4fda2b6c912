#!/usr/bin/env bash
# How much each constant and each term of the objective's formula matters: `quality` with each constant halved and doubled,
# and with each term taken out, in a copy of the sources. Prints a table in Markdown.
#
#     ci/sensitivity.sh TRIALS.csv [RESULTS] [PART]
#
# TRIALS.csv are the others' trials of `quality --tuned`. RESULTS is a folder that keeps what was found, so that a run that
# was broken off goes on where it was; give a new one after a change of the formula. PART: only variants whose names
# contain it. Each variant takes about a minute of a processor, all of them an hour and a quarter.
#
# Every change is an edit that must apply exactly where it is said to; the script fails before the first run if one does not.
set -euo pipefail
trials=$(realpath "$1") results=$(realpath -m "${2:-$(mktemp -d)}") part=${3:-}
cd "$(dirname "$0")/.."
mkdir -p "$results"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r Cargo.toml Cargo.lock src examples benches data README.md docs "$copy"
export CARGO_TARGET_DIR=${SENSITIVITY_TARGET:-$copy/target} CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_INCREMENTAL=true
# A term that was taken out leaves things that nobody uses.
export RUSTFLAGS="--cap-lints=warn"

python3 - "$trials" "$results" "$part" "$copy" <<'END_OF_PYTHON'
import json, pathlib, re, subprocess, sys

trials, results, part, copy = sys.argv[1:]
results, copy = pathlib.Path(results), pathlib.Path(copy)
OBJECTIVE, FORECAST = "src/policy/objective.rs", "src/signal/forecast.rs"
ERRORS, GAPS, HOLD, LEDGER = (f"src/signal/forecast/{it}.rs" for it in ("errors", "gaps", "hold", "ledger"))

# What a constant means, its file, and the text whose group is the number. Halves of whole numbers are rounded down.
CONSTANTS = [
    ("allowance, times the share", OBJECTIVE, r"const ALLOWANCE: u64 = (.*);"),
    ("a backlog that goes so soon is worth no worker", OBJECTIVE, r"const SOON: u64 = (.*);"),
    ("root of the highest demand above the peak", OBJECTIVE, r"highest\.saturating_add\(deviation\(known\.highest\)( / 2)\)"),
    ("service times of the long rate", FORECAST, r"const LONG: \(u64, u64\) = \((\d+),"),
    ("least time of the long rate", FORECAST, r"const LONG: \(u64, u64\) = \(\d+, (.*)\);"),
    ("service times of the short rate", FORECAST, r"const SHORT: \(u64, u64\) = \((\d+),"),
    ("service times of strain", FORECAST, r"const STRAIN: u64 = (.*);"),
    ("completions that the mean service time is of", FORECAST, r"const MEAN_OF: u64 = (.*);"),
    ("completions before it is relied on", FORECAST, r"const HANDFUL: u32 = (.*);"),
    ("service time before one was measured", FORECAST, r"const SERVICE: u64 = (.*);"),
    ("cold start before one was measured", FORECAST, r"const COLD_START: u64 = (.*);"),
    ("shortest tick", FORECAST, r"const TICK: u64 = (.*);"),
    ("part of what may be late that starts from zero may be", FORECAST, r"const BY_ZERO: u64 = (.*);"),
    ("hours between the steps of forgetting", FORECAST, r"const HOUR: u64 = (.*);"),
    ("the wait for an alarm's workers, part of the ready", FORECAST, r"view\.ready\.div_ceil\((10)\)"),
    ("hold, times a cold start", FORECAST, r"highest\(now, planned, (cold_start\.saturating_add\(tick\))\)"),
    ("weight of a request in the errors, over the prior's", ERRORS, r"const UNIT: u64 = (.*);"),
    ("gaps that were never seen", GAPS, r"const UNSEEN: u64 = (.*);"),
    ("starts from zero that are remembered", GAPS, r"const STARTS: u64 = (.*);"),
    ("gain of caution", LEDGER, r"const GAIN: u64 = (.*);"),
    ("most caution", LEDGER, r"const MOST: i64 = (.*);"),
    ("deepest debt", LEDGER, r"const DEEPEST: i64 = (.*);"),
    ("fewest late requests that say something", LEDGER, r"const FEWEST: u64 = (.*);"),
    ("an episode", LEDGER, r"const EPISODE: u64 = (.*);"),
    ("widest margin", LEDGER, r"const WIDEST_MARGIN: u64 = (.*);"),
]
# The term, its file, its text, and what stands for it.
TERMS = [
    ("caution (feedback by what was late)", FORECAST, "objective.may_be_late().map_or(0, |may| self.ledger.caution(may))", "2 * ONE"),
    ("margin for uncertainty", LEDGER, "MICRO.saturating_sub(self.margin(may))", "MICRO"),
    ("headroom from errors (the prior's alone)", ERRORS, "*count = count.saturating_add(more);", "let _ = more;"),
    ("prior of the errors", ERRORS, "Self { even: PRIOR,", "Self { even: [0; EVEN],"),
    ("upper edges of the wide bins", ERRORS, "if bin < EVEN { bin } else { bin.saturating_add(1).min(BINS - 1) }", "bin"),
    ("errors as requests saw them (as time did)", FORECAST, "Some(_) => arrived,", "Some(_) => elapsed / SECOND,"),
    ("what is still there at the lead's end", OBJECTIVE, "let stays = decay(known.lead, known.service);", "let stays = 0;"),
    ("demand, not backlog", FORECAST, "there.min(self.occupancy.saturating_add(deviation(self.occupancy).saturating_mul(2)).saturating_add(MICRO))", "there"),
    ("peak", OBJECTIVE, "if slots > peak {", "if false {"),
    ("drain", OBJECTIVE, "let drain = self.drain(known);", "let drain = 0;"),
    ("hold", FORECAST, "let held = self.hold.highest(now, planned, cold_start.saturating_add(tick));", "let held = planned;"),
    ("alarm (CoDel)", FORECAST, "let alarmed = view.overloaded &&", "let alarmed = false && view.overloaded &&"),
    ("a worker for whoever is there", OBJECTIVE, "workers.max(u32::from(known.requests > 0))", "workers"),
    ("the last worker by the gaps (a cold start)", FORECAST, "stay.max(cold_start)", "cold_start"),
    ("forgetting", FORECAST, "for _ in 0..hours.min(FORGOTTEN) {", "for _ in 0..hours.min(0) {"),
]

def constant(file, pattern, factor):
    text = (copy / file).read_text()
    found = list(re.finditer(pattern, text))
    assert len(found) == 1, f"{file}: `{pattern}` is there {len(found)} times, not once"
    number = found[0][1]
    # `/ 2` stands for a factor of a half.
    changed = {" / 2": {"/ 2": " / 4", "* 2": ""}[factor]}.get(number, f"({number}) {factor}")
    return text[:found[0].start(1)] + changed + text[found[0].end(1):]

def term(file, old, new):
    text = (copy / file).read_text()
    assert text.count(old) == 1, f"{file}: `{old}` is there {text.count(old)} times, not once"
    return text.replace(old, new)

variants = [("as it is", OBJECTIVE, (copy / OBJECTIVE).read_text())]
variants += [(f"without: {name}", file, term(file, old, new)) for name, file, old, new in TERMS]
for name, file, pattern in CONSTANTS:
    variants += [(f"{word}: {name}", file, constant(file, pattern, by)) for word, by in (("halved", "/ 2"), ("doubled", "* 2"))]

def run(name, file, changed):
    kept = results / (re.sub(r"\W+", "_", name) + ".json")
    if not kept.exists():
        original = (copy / file).read_text()
        (copy / file).write_text(changed)
        command = ["cargo", "run", "--locked", "--release", "-q", "-j", "1", "--example", "quality", "--", "--brief", "--share", "0.99",
                   "--json", "--quiet", "--others", trials, "--out", str(copy / "report")]
        ran = subprocess.run(command, cwd=copy, capture_output=True, text=True)
        (copy / file).write_text(original)
        assert ran.returncode == 0, f"{name}: {ran.stderr[-2000:]}"
        kept.write_text(ran.stdout)
        print(name, file=sys.stderr)
    found = json.loads(kept.read_text())
    return found["goals"][0]["met"], {it["scenario"]: it["objective"]["cost"] for it in found["pairings"]}

def told(name):
    chosen = next(it for it in variants if it[0] == name)
    if part and part not in name and name != "as it is":
        return None
    met, costs = run(*chosen)
    product = 1.0
    for scenario, cost in costs.items():
        product *= (cost / clean[scenario]) ** (1 / len(clean))
    return met, product

met, clean = run(*variants[0])
print(f"As it is, {met} of {len(clean)} are kept. Each cell: how many are then, and the cost over that, whether kept or not.\n")
print("| taken out | kept, cost |\n|---|---|")
cell = lambda found: f"{found[0]}, {found[1]:.3f}" if found else ""
for name, *_ in TERMS:
    if found := told(f"without: {name}"):
        print(f"| {name} | {cell(found)} |", flush=True)
print("\n| constant | halved | doubled |\n|---|---|---|")
for name, *_ in CONSTANTS:
    cells = [told(f"{word}: {name}") for word in ("halved", "doubled")]
    if any(cells):
        print(f"| {name} | {cell(cells[0])} | {cell(cells[1])} |", flush=True)
END_OF_PYTHON
