#!/usr/bin/env bash
# How much each constant and each term of the objective's formula matters: `quality` with each constant halved and doubled,
# and with each term taken out. Prints two tables in Markdown.
#
#     ci/sensitivity.sh TRIALS.csv [RESULTS] [PART] [TIME]
#
# TRIALS.csv are the others' trials of `quality --tuned`. RESULTS is a folder that keeps what was found, so that a run that
# was broken off goes on where it was; give a new one after a change of the formula. PART: only variants whose names
# contain it. TIME: within so long in all workloads, as `quality --within` (and the trials too). Each variant takes some 20 seconds of a processor, all of them half an hour.
#
# The variants are compiled into one program, in a copy of the sources, and chosen by a variable. Every one of them is an
# edit that must apply exactly where it is said to; the script fails before the first run if one does not.
set -euo pipefail
trials=$(realpath "$1") results=$(realpath -m "${2:-$(mktemp -d)}") part=${3:-} within=${4:-}
cd "$(dirname "$0")/.."
mkdir -p "$results"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r Cargo.toml Cargo.lock src examples benches data README.md docs "$copy"
export CARGO_TARGET_DIR=${SENSITIVITY_TARGET:-$copy/target} CARGO_PROFILE_RELEASE_DEBUG=0
# Constants become functions.
export RUSTFLAGS="--cap-lints=allow"

python3 - "$trials" "$results" "$part" "$within" "$copy" <<'END_OF_PYTHON'
import json, os, pathlib, re, subprocess, sys

trials, results, part, within, copy = sys.argv[1:]
results, copy = pathlib.Path(results), pathlib.Path(copy)
OBJECTIVE, FORECAST = "src/policy/objective.rs", "src/signal/forecast.rs"
ERRORS, GAPS, HOLD, LAST, LEDGER, SILENCE, STRAYS, SURGES, TRAFFIC = (
    f"src/signal/forecast/{it}.rs" for it in ("errors", "gaps", "hold", "last", "ledger", "silence", "strays", "surges", "traffic")
)

# What a constant means, its file, its name, and if it is a pair which of the two. Halves are rounded down.
CONSTANTS = [
    ("allowance, times the share", OBJECTIVE, "ALLOWANCE"),
    ("a backlog that goes so soon is worth no worker", OBJECTIVE, "SOON"),
    ("service times that a surge lasts", OBJECTIVE, "SURGE"),
    ("free slots where long waits are in time", OBJECTIVE, "TAIL"),
    ("service times of the long rate", TRAFFIC, "LONG", 0),
    ("its least time", TRAFFIC, "LONG", 1),
    ("service times of the short rate", TRAFFIC, "SHORT", 0),
    ("service times of strain", TRAFFIC, "STRAIN"),
    ("completions that the mean service time is of", FORECAST, "MEAN_OF"),
    ("completions before it is relied on", FORECAST, "HANDFUL"),
    ("service time before one was measured", FORECAST, "SERVICE"),
    ("cold start before one was measured", FORECAST, "COLD_START"),
    ("shortest tick", FORECAST, "TICK"),
    ("time between two steps of forgetting", FORECAST, "HOUR"),
    ("weight of a request among the errors, over the prior's", ERRORS, "UNIT"),
    ("silences that are remembered", GAPS, "SILENCES"),
    ("gain of caution", LEDGER, "GAIN"),
    ("deepest debt", LEDGER, "DEEPEST"),
    ("fewest late requests that say something", LEDGER, "FEWEST"),
    ("length of an episode", LEDGER, "EPISODE"),
    ("widest margin", LEDGER, "WIDEST_MARGIN"),
    ("length of a lull", HOLD, "LULL"),
    ("what stays of a surge before one was seen", SURGES, "PRIOR", 0),
    ("how far a rise is followed", SURGES, "STEEPEST"),
]
# Numbers that have no name: the text, and with half and twice of them.
NUMBERS = [
    ("room above the peak, in roots of it", OBJECTIVE, "deviation(known.highest) / 2", "deviation(known.highest) / 4", "deviation(known.highest)"),
    ("workers of an alarm, over the ready", FORECAST, "view.ready.div_ceil(10)", "view.ready.div_ceil(20)", "view.ready.div_ceil(5)"),
    ("hold, over a cold start", FORECAST, "planned, cold_start.saturating_add(look)", "planned, cold_start.saturating_add(look) / 2", "planned, cold_start.saturating_add(look) * 2"),
    ("deviations that are chance in a lull", FORECAST, "deviation(forecast) / 2", "deviation(forecast) / 4", "deviation(forecast)"),
    ("how long the gap is that was never seen", GAPS, "ratio(PARTS, SECOND, than)", "ratio(PARTS, SECOND / 2, than)", "ratio(PARTS, SECOND * 2, than)"),
    ("what is no silence yet, in leads", SILENCE, "(lead / SPACING).max(SECOND)", "(lead / SPACING / 2).max(SECOND)", "(lead / SPACING * 2).max(SECOND)"),
    ("what is cheaper by chance", STRAYS, "ratio(cost(roots, root), CHANCE.0, CHANCE.1)", "ratio(cost(roots, root), 19, 20)", "ratio(cost(roots, root), 8, 10)"),
    ("deviations that chance explains of a surge", SURGES, "2 * MICRO * BILLION", "MICRO * BILLION / 2", "8 * MICRO * BILLION"),
    ("deviations that demand is above what is being served", TRAFFIC, "deviation.saturating_mul(2)", "deviation", "deviation.saturating_mul(4)"),
]
# The term, its file, the expression that is it, and what stands for it.
TERMS = [
    ("caution (feedback by what was late)", FORECAST, "objective.may_be_late().map_or(0, |may| self.ledger.caution(may))", "2 * crate::fixed::ONE"),
    ("margin for uncertainty", LEDGER, "MICRO.saturating_sub(self.margin(may))", "MICRO"),
    ("errors (the prior's alone)", ERRORS, "requests.saturating_mul(UNIT)", "0"),
    ("prior of the errors", ERRORS, "even: PRIOR", "even: [0; EVEN]"),
    ("errors told in slots where that costs less (in roots)", STRAYS, "slots < Errors::MOST && cost(slots, MICRO) < in_roots", "false"),
    ("upper edges of the wide bins", ERRORS, "if bin < EVEN { bin } else { bin.saturating_add(1).min(BINS - 1) }", "bin"),
    ("errors as those who came saw demand (as it is at ticks)", TRAFFIC, "if arrivals == 0 { there } else { ratio(saw, MICRO, arrivals).min(limit) }", "there"),
    ("a long rate over a lead", TRAFFIC, "service.saturating_mul(times).max(least).max(lead)", "service.saturating_mul(times).max(least)"),
    ("errors by requests (by time)", FORECAST, "match objective.may_be_late() {\n            Some(_) => [(most, arrived.min(1)), (mean, arrived.saturating_sub(1))],\n            None => [(mean, elapsed / SECOND), (mean, 0)],\n        }", "[(mean, elapsed / SECOND), (mean, 0)]"),
    ("the most that one of them saw", FORECAST, "arrived.min(1)", "0"),
    ("what is still there at the lead's end", OBJECTIVE, "decay(known.lead, known.service)", "0"),
    ("what stays of surges, as learned (none does)", SURGES, "self.seen.saturating_add(PRIOR.1)", "i64::MAX"),
    ("what chance explains is no surge", SURGES, "short.saturating_sub(long).saturating_sub(twice_the_deviation)", "short.saturating_sub(long)"),
    ("demand, not backlog", TRAFFIC, "if now < self.strained { likely } else { u64::MAX }", "u64::MAX"),
    ("peak", OBJECTIVE, "slots > peak", "false"),
    ("queue of those in time", OBJECTIVE, "self.without_queue(known, slots, queue)", "slots"),
    ("drain", OBJECTIVE, "self.drain(known)", "0"),
    ("hold", FORECAST, "self.hold.highest(now, planned, cold_start.saturating_add(look))", "planned"),
    ("lull", FORECAST, "self.lull.steadied(now, held, self.plan.workers, chance)", "held"),
    ("several through a silence (as the last)", LAST, "held > 1", "false"),
    ("alarm (CoDel)", FORECAST, "stands && view.starting == 0 && alarm > planned", "false"),
    ("an alarm only after a lead (at once)", FORECAST, "now.since(since) >= lead", "true"),
    ("the last worker by the gaps (a cold start)", LAST, "kept.at_most(silence, FORSAKEN)", "if silence < cold_start { Keep::Until(cold_start) } else { Keep::GONE }"),
    ("being back before gaps end", GAPS, "returns.covers(bin)", "false"),
    ("gaps a little shorter and longer than seen", GAPS, "seen(Some(bin)).saturating_mul(2).saturating_add(neighbours)", "seen(Some(bin)).saturating_mul(4)"),
    ("who comes after a silence (one)", GAPS, "self.late.max(MICRO)", "MICRO"),
    ("what starts from zero may make late, by caution (half)", LAST, "CAUTION.saturating_mul(ONE).saturating_sub(self.ledger.caution(may))", "CAUTION * ONE / 2"),
    ("forgetting", FORECAST, "hours.min(FORGOTTEN)", "0"),
    ("long waits: a lead that is less by them (a tick at the least)", FORECAST, "cold_start.saturating_add(look).saturating_sub(objective.patience())", "cold_start.saturating_sub(objective.patience()).saturating_add(look)"),
    ("long waits: a queue in time is no demand (it is)", FORECAST, "objective.patience().min(self.service)", "objective.patience()"),
    ("long waits: more is left to the queue where help comes soon", OBJECTIVE, "known.service.max(helped)", "known.service"),
    ("long waits: fewer free slots", OBJECTIVE, "(deviation(load) / 2).min(ratio(TAIL, known.service, self.patience()))", "deviation(load) / 2"),
    ("long waits: who is served in time needs no drain", OBJECTIVE, "lead.saturating_add(self.patience())", "lead"),
    ("long waits: nobody is late by a start that is in time", LAST, "if late_for == 0 { 0 } else { self.gaps.late() }", "self.gaps.late()"),
]

sources = {file: (copy / file).read_text() for file in {it[1] for it in CONSTANTS + NUMBERS + TERMS}}
names = ["as it is"]

def once(file, pattern):
    found = list(re.finditer(pattern, sources[file]))
    assert len(found) == 1, f"{file}: `{pattern}` is there {len(found)} times, not once"
    return found[0]

def instead(file, begin, end, text):
    sources[file] = sources[file][:begin] + text + sources[file][end:]

# The number of a new variant.
def variant(name):
    names.append(name)
    return len(names) - 1

def chosen(variants, text):
    return "".join(f"if crate::variant() == {number} {{ {other} }} else " for number, other in variants) + f"{{ {text} }}"

for name, file, old, new in TERMS:
    # In front of a value there may be a field's name, or a pattern.
    split = re.match(r"(even: |Some\(_\) => )?(.*)", old, re.S)
    front, value = split[1] or "", split[2]
    found = once(file, re.escape(old))
    other = new.removeprefix(front)
    instead(file, found.start(), found.end(), front + "(" + chosen([(variant(f"without: {name}"), other)], value) + ")")
for name, file, old, half, twice in NUMBERS:
    found = [it for it in re.finditer(re.escape(old), sources[file])]
    assert found, f"{file}: `{old}` is not there"
    numbers = [variant(f"{word}: {name}") for word in ("halved", "doubled")]
    # Terms have copied it into both of their branches.
    for it in reversed(found):
        head = "planned, " if old.startswith("planned, ") else ""
        options = [text.removeprefix(head) for text in (half, twice, old)]
        instead(file, it.start(), it.end(), head + "(" + chosen(list(zip(numbers, options)), options[2]) + ")")
for name, file, constant, *place in CONSTANTS:
    numbers = [variant(f"{word}: {name}") for word in ("halved", "doubled")]
    scaled = lambda value: chosen([(numbers[0], f"({value}) / 2"), (numbers[1], f"({value}) * 2")], value)
    if place and f"fn {constant}()" in sources[file]:
        found = once(file, rf"fn {constant}\(\) -> \(u64, u64\) {{ \((.*), ([^,]*)\) }}")
        instead(file, found.start(place[0] + 1), found.end(place[0] + 1), scaled(found[place[0] + 1]))
        continue
    found = once(file, rf"const {constant}: (.*?) = (.*);")
    value = found[2]
    if place:
        pair = value.strip("()").split(", ")
        pair[place[0]] = scaled(pair[place[0]])
        value = "(" + ", ".join(pair) + ")"
    else:
        value = scaled(value)
    lines = sources[file].split("\n")
    at = sources[file][:found.start()].count("\n")
    for number, line in enumerate(lines):
        if number != at and not line.lstrip().startswith("//"):
            lines[number] = re.sub(rf"\b{constant}\b", f"{constant}()", line)
    lines[at] = f"fn {constant}() -> {found[1]} {{ {value} }}"
    sources[file] = "\n".join(lines)
for file, text in sources.items():
    # What asks for the variant is not constant.
    (copy / file).write_text(re.sub(r"const fn (new|unit|margin|caution|strains)\(", r"fn \1(", text))
# They are used there too.
for name in ("learned", "outlook", "scrapes", "told"):
    beside = copy / f"src/signal/forecast/{name}.rs"
    body = beside.read_text()
    uses = re.compile(r"^use .*?;$", re.M)
    at = max(found.end() for found in uses.finditer(body))
    beside.write_text(body[:at] + re.sub(r"\b(HANDFUL|MEAN_OF|TICK)\b", r"\1()", body[at:]))
library = copy / "src/lib.rs"
library.write_text(library.read_text() + """
fn variant() -> usize {
    static CHOSEN: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *CHOSEN.get_or_init(|| std::env::var("VARIANT").ok().and_then(|it| it.parse().ok()).unwrap_or(0))
}
""")
build = ["cargo", "build", "--locked", "--release", "-q", "--example", "quality"]
subprocess.run(build, cwd=copy, check=True)
target = pathlib.Path(os.environ["CARGO_TARGET_DIR"])

def run(name):
    kept = results / (re.sub(r"\W+", "_", name) + ".json")
    if not kept.exists():
        command = [target / "release/examples/quality", "--brief", "--share", "0.99", "--json", "--quiet", "--others", trials]
        command += ["--out", copy / "report"] + (["--within", within] if within else [])
        ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"VARIANT": str(names.index(name))})
        assert ran.returncode == 0, f"{name}: {ran.stderr[-2000:]}"
        kept.write_text(ran.stdout)
        print(name, file=sys.stderr, flush=True)
    found = json.loads(kept.read_text())
    return found["goals"][0]["met"], {it["scenario"]: it["objective"]["cost"] for it in found["pairings"]}

def cell(name):
    if part not in name:
        return ""
    met, costs = run(name)
    product = 1.0
    for scenario, cost in costs.items():
        product *= (cost / clean[scenario]) ** (1 / len(clean))
    return f"{met}, {product:.3f}" + ("" if costs != clean else " (nothing changes)")

met, clean = run(names[0])
print(f"As it is, {met} of {len(clean)} are kept. Each cell: how many are then, and the cost over that, whether kept or not.\n")
print("| taken out | kept, cost |\n|---|---|", flush=True)
for name, *_ in TERMS:
    if found := cell(f"without: {name}"):
        print(f"| {name} | {found} |", flush=True)
print("\n| constant | halved | doubled |\n|---|---|---|", flush=True)
for name, *_ in CONSTANTS + NUMBERS:
    cells = [cell(f"{word}: {name}") for word in ("halved", "doubled")]
    if any(cells):
        print(f"| {name} | {cells[0]} | {cells[1]} |", flush=True)
END_OF_PYTHON
