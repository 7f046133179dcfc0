#!/usr/bin/env python3
"""graph-bench.py [-r ROUNDS] [-t make,ninja,layerbuild] N… – time of a no-op over graph-gen.py's trees, the tools in turn.

Trees are made where missing, in $BENCH_SCRATCH/g (default: scratch/g beside this file). layerbuild is the binary that LB
names; its first build, which fills the store, is timed apart. Writes graph.json there.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SCRATCH = os.path.abspath(os.environ.get('BENCH_SCRATCH', f'{HERE}/scratch'))
LB = os.path.abspath(os.environ.get('LB', f'{HERE}/../target/release/layerbuild'))


def command(tool, n):
    store = f'{SCRATCH}/g/layerbuild-{n}.store'
    return {'make': ['make', '-s', 'all'], 'ninja': ['ninja', '--quiet'],
            'layerbuild': [LB, '--cache-dir', store, '-q', 'build', '//...']}[tool]


def sample(tool, n):
    """Seconds, CPU seconds and peak memory in MB of one call."""
    began = time.perf_counter()
    p = subprocess.Popen(command(tool, n), cwd=f'{SCRATCH}/g/{tool}-{n}', stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = p.stderr.read()
    _, status, usage = os.wait4(p.pid, 0)
    took = time.perf_counter() - began
    p.returncode = status
    if status:
        sys.exit(f'{tool} {n} failed: {errors.decode()[-2000:]}')
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def show(tool, n, case, samples):
    wall, cpu, memory = zip(*samples)
    row = dict(tool=tool, n=n, case=case, median=statistics.median(wall), min=min(wall), max=max(wall), samples=len(wall),
               cpu=statistics.median(cpu), memory=max(memory))
    print('{tool:11}{n:7} {case:11}{median:9.3f} s ({min:.3f}–{max:.3f}, n={samples}) cpu {cpu:.2f} s, peak {memory:.0f} MB'
          .format(**row), flush=True)
    return row


parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument('-r', type=int, default=5)
parser.add_argument('-t', default='make,ninja,layerbuild')
parser.add_argument('n', type=int, nargs='+')
arguments = parser.parse_args()
tools, rows = arguments.t.split(','), []
for n in arguments.n:
    for tool in tools:
        if not os.path.exists(f'{SCRATCH}/g/{tool}-{n}'):
            subprocess.run([f'{HERE}/graph-gen.py', tool, str(n), f'{SCRATCH}/g/{tool}-{n}'], check=True)
        rows.append(show(tool, n, 'first', [sample(tool, n)]))
    rounds = [{tool: sample(tool, n) for tool in tools} for _ in range(arguments.r)]
    rows += [show(tool, n, 'no-op', [r[tool] for r in rounds]) for tool in tools]
json.dump(rows, open(f'{SCRATCH}/graph.json', 'w'), indent=1)
