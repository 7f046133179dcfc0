#!/usr/bin/env python3
"""rules-bench.py [-n TARGETS] [-r ROUNDS] – loading targets that a workspace's rule makes, beside the same targets written out.

Both workspaces have TARGETS targets, an image and a layer in turn, 100 a package; `query //...` loads and connects them all.
The written one is what `query --output=build` prints of the other. layerbuild is the binary that LB names. The two are
timed in turn; both medians are printed, and how many times as long the rules take.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LB = os.path.abspath(os.environ.get('LB', f'{HERE}/../target/release/layerbuild'))
PER_PACKAGE = 50  # calls; each makes two targets

WORKSPACE = '[workspace]\nname = "bench"\n'
RULE = '''[rule.kit]
doc = "A program in an image."

[rule.kit.attributes]
program = { required = true, pattern = "[a-z0-9/-]+", doc = "The program." }
base    = { type = "label", doc = "The image below." }
env     = { type = "map", default = {}, doc = "Variables." }
tier    = { type = "enum", values = ["bronze", "silver"], default = "bronze", doc = "How clean its data is." }

[rule.kit.target.image]
base       = "${attr.base}"
layers     = ["${part.bin}"]
env        = { TIER = "${attr.tier}", "..." = "${attr.env}" }
entrypoint = ["/usr/bin/${attr.program}"]
user       = "50000:0"
labels     = { "org.opencontainers.image.title" = "${attr.name}", "org.opencontainers.image.licenses" = "Apache-2.0" }

[rule.kit.parts.files.bin]
srcs  = ["${attr.program}"]
dest  = "/usr/bin"
owner = "0:0"
'''


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as f:
        f.write(text)


def by_rules(root, targets):
    write(f'{root}/layers.toml', WORKSPACE)
    write(f'{root}/rules/kit.toml', RULE)
    calls = targets // 2
    for first in range(0, calls, PER_PACKAGE):
        tables = []
        for i in range(first, min(first + PER_PACKAGE, calls)):
            base = f'base = "//p{(i - 1) // 4 // PER_PACKAGE}:k{(i - 1) // 4}"\n' if i else ''
            tables.append(f'[kit.k{i}]\nprogram = "program-{i}"\n{base}env = {{ NUMBER = "{i}" }}\n')
        write(f'{root}/p{first // PER_PACKAGE}/layers.toml', '\n'.join(tables))


def written_out(root, of):
    """What the rules make, as a user without rules would have to write it."""
    write(f'{root}/layers.toml', WORKSPACE)
    shown = query(of, '--output=build')
    packages = {}
    for table in re.split(r'\n(?=# //)', shown):
        label, text = table.split('\n', 1)
        package = label[len('# //'):].split(':')[0]
        lines = [line for line in text.splitlines() if not line.startswith('#')]
        packages.setdefault(package, []).append('\n'.join(lines) + '\n')
    for package, tables in packages.items():
        write(f'{root}/{package}/layers.toml', '\n'.join(tables))


def query(root, *flags):
    done = subprocess.run([LB, '-C', root, 'query', '//...', *flags], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return done.stdout


def timed(root):
    began = time.perf_counter()
    query(root)
    return time.perf_counter() - began


parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument('-n', type=int, default=10_000)
parser.add_argument('-r', type=int, default=15)
arguments = parser.parse_args()
scratch = tempfile.mkdtemp()
rules, written = f'{scratch}/rules', f'{scratch}/written'
by_rules(rules, arguments.n)
written_out(written, rules)
if query(rules) != query(written):
    sys.exit('the two workspaces do not have the same targets')
rounds = [(timed(rules), timed(written)) for _ in range(arguments.r)]
medians = [statistics.median(times) for times in zip(*rounds)]
for name, median, times in zip(('by rules', 'written out'), medians, zip(*rounds)):
    print(f'{arguments.n} targets {name:12} {median * 1000:7.1f} ms  ({min(times) * 1000:.1f}–{max(times) * 1000:.1f})')
print(f'the rules take {medians[0] / medians[1]:.2f} times as long')
shutil.rmtree(scratch)
