#!/usr/bin/env bash
# Instructions per operation, counted by callgrind, beside those committed in ci/instructions.txt. More than 5 % above them
# fails; a figure that fell is to be written down with --write, so that it stays there. A count is of one compiler and one
# C library: with others than the committed figures' nothing fails.
#
# Usage: ci/instructions.sh [--write]. Needs valgrind.
set -euo pipefail
cd "$(dirname "$0")/.."

bench=$(cargo bench --locked --bench instructions --no-run --message-format=json |
    python3 -c 'import json, sys
for message in map(json.loads, sys.stdin):
    if message.get("executable") and message["target"]["name"] == "instructions":
        print(message["executable"])')
tools="$(rustc --version), $(valgrind --version), $(ldd --version | sed -n 1p)"
exec python3 - "$bench" "$tools" "${1:-}" <<'END'
import concurrent.futures, os, re, subprocess, sys

bench, tools, write = sys.argv[1:]
committed, file = {}, "ci/instructions.txt"
if os.path.exists(file):
    of, *lines = open(file).read().splitlines()
    committed = {name: int(count) for count, name in (line.split(None, 1) for line in lines)}

def counted(case, times):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", bench, case, str(times)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return int(re.search(r"Collected : (\d+)", said)[1])

def per_operation(line):
    operations, case = line.split("\t")
    # What two runs differ by is what the operations cost: what comes before and after them is the same.
    fewer, more = (1, 2) if int(operations) > 1_000 else (200, 2_200)
    return case, (counted(case, more) - counted(case, fewer)) / ((more - fewer) * int(operations))

cases = subprocess.run([bench], capture_output=True, text=True, check=True).stdout.splitlines()
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    found = list(pool.map(per_operation, cases))
grown = 0
for case, count in found:
    before = committed.get(case)
    change = f"{count / before - 1:+7.1%}" if before else "    new"
    grown += bool(before) and count > before * 1.05
    print(f"{count:10.0f} {change}  {case}")
if write:
    with open(file, "w") as out:
        out.write(f"{tools}\n" + "".join(f"{count:.0f} {case}\n" for case, count in found))
elif not committed or committed.keys() != dict(found).keys():
    sys.exit("the cases are not those of ci/instructions.txt: write them down with ci/instructions.sh --write")
elif grown and of != tools:
    print(f"{grown} grew by more than 5 %, counted with {tools}; the committed figures are of {of}")
elif grown:
    sys.exit(f"{grown} grew by more than 5 %: undo that, or say why and write them down with ci/instructions.sh --write")
END
