#!/usr/bin/env python3
"""quiet.py LIMIT RESULTS.json… – the table of run.py, of those samples only in which others used at most LIMIT cores.

On pushes the registry is among the others: 0.3 cores are allowed for it.
"""
import json
import statistics
import sys

CASES = ['cold', 'noop', 'push_cold', 'push_noop', 'touch', 'edit', 'push_edit']
if len(sys.argv) < 3:
    sys.exit(__doc__)
limit, samples = float(sys.argv[1]), {}
for path in sys.argv[2:]:
    for contestant, cases in json.load(open(path))['raw'].items():
        for case, rows in cases.items():
            samples.setdefault(contestant, {}).setdefault(case, []).extend(rows)


def cell(case, rows):
    allowed = limit + (0.3 if 'push' in case else 0)
    quiet = [row[0] for row in rows if row[4] <= allowed]
    if not quiet:
        return f'none quiet; min {min(row[0] for row in rows):.2f} of {len(rows)}'
    return f'{statistics.median(quiet):.2f} ({min(quiet):.2f}–{max(quiet):.2f}, n={len(quiet)})'


print('| contestant | ' + ' | '.join(CASES) + ' |\n|' + '---|' * (len(CASES) + 1))
for contestant, cases in samples.items():
    print(f'| {contestant} | ' + ' | '.join(cell(case, cases[case]) for case in CASES) + ' |')
