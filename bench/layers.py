#!/usr/bin/env python3
"""layers.py [-n ROUNDS] [debs] [run] – layers of packages and of commands, side by side with the tools that people use.

debs: python3, krb5-user and postgresql-15 on Debian's essential packages, as one layer: layerbuild from a store that has
      the .debs and nothing else, mmdebstrap into a tar from a local archive of the same .debs.
run:  a command that does nothing over a base of 450 MB or more, with a variable that is new each time: layerbuild's whole
      call, with the layer made and recorded, and `buildah run` in a container that exists, without a commit.

Both take turns, and the order turns round from one round to the next. A sample: seconds, CPU seconds of all processes
started, and how many cores others used meanwhile. Needs root, and for the first call the network. LB: layerbuild's binary.
"""
import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SCRATCH = os.path.abspath(os.environ.get('BENCH_SCRATCH', f'{HERE}/scratch')) + '/layers'
REPO, STORE, BARE, WORK = f'{SCRATCH}/repo', f'{SCRATCH}/store', f'{SCRATCH}/bare', f'{SCRATCH}/ws'
PACKAGES = ['python3', 'krb5-user', 'postgresql-15']
TICKS = os.sysconf('SC_CLK_TCK')
WORKSPACE = """
[workspace]
name = "layers"
[debs.root]
packages = {packages}
essential = true
[debs.big]
packages = {big}
essential = true
[files.fill]
srcs = ["fill/**"]
dest = "/usr/share/fill"
[image.base]
layers = [":big", ":fill"]
[run.step]
base = ":base"
commands = [["true"]]
env = {{ ROUND = "{number}" }}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('-n', type=int, default=5, metavar='ROUNDS')
    parser.add_argument('what', nargs='*', metavar='debs|run')
    args = parser.parse_args()
    results = {}
    for what in args.what or ['debs', 'run']:
        prepare()
        contestants = {'debs': (debs, mmdebstrap), 'run': (run, buildah)}[what]
        results[what] = rounds(args.n, *(make() for make in contestants))
    json.dump(results, open(f'{SCRATCH}/layers.json', 'w'), indent=1)


def prepare():
    """A workspace, locked, and a store with the .debs."""
    os.makedirs(f'{WORK}/fill', exist_ok=True)
    write(0)
    if not os.path.exists(f'{WORK}/layers.lock'):
        call(*layerbuild(STORE), 'lock')
    call(*layerbuild(STORE), 'build', '//:root')


def write(number):
    text = WORKSPACE.format(packages=json.dumps(PACKAGES), big=json.dumps(PACKAGES + ['g++', 'git']), number=number)
    with open(f'{WORK}/layers.toml', 'w') as file:
        file.write(text)


def layerbuild(store):
    return [os.environ['LB'], '-q', '-C', WORK, '--cache-dir', store]


def debs():
    """layerbuild, from a store with nothing but the .debs."""
    blobs = [f'{STORE}/blobs/sha256/{it["sha256"][:2]}/{it["sha256"]}' for it in locked()]

    def before():
        shutil.rmtree(BARE, ignore_errors=True)
        shutil.copytree(STORE, BARE, ignore=lambda folder, names: names if folder != STORE else
                        [name for name in names if name not in ('VERSION', 'CACHEDIR.TAG')])
        for blob in blobs:
            copy = blob.replace(STORE, BARE)
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            os.link(blob, copy)
    return 'layerbuild', before, lambda: [*layerbuild(BARE), '--offline', 'build', '//:root']


def locked():
    """The .debs of //:root as layers.lock has them."""
    text = open(f'{WORK}/layers.lock').read()
    section = re.search(r'\[debs\."//:root"\..*?(?=\n\[|\Z)', text, re.S).group(0)
    line = re.compile(r'"(\S+) (\S+) (\S+) \S+ (\S+) ([0-9a-f]{64}) \d+"')
    return [dict(zip(('name', 'version', 'arch', 'path', 'sha256'), found)) for found in line.findall(section)]


def mmdebstrap():
    """mmdebstrap, from a folder that has the same .debs as a local archive."""
    os.makedirs(REPO, exist_ok=True)
    for deb in locked():
        blob = f'{STORE}/blobs/sha256/{deb["sha256"][:2]}/{deb["sha256"]}'
        to = f'{REPO}/{deb["name"]}_{deb["version"].replace(":", "%3a")}_{deb["arch"]}.deb'
        if not os.path.exists(to):
            shutil.copyfile(blob, to)
    with open(f'{REPO}/Packages', 'w') as index:
        subprocess.run(['dpkg-scanpackages', '-m', '.'], cwd=REPO, stdout=index, stderr=subprocess.DEVNULL, check=True)
    with open(f'{REPO}/Packages', 'rb') as index, open(f'{REPO}/Release', 'w') as release:
        text = index.read()
        # mmdebstrap takes what is essential by the suite's name.
        release.write('Suite: bookworm\nCodename: bookworm\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n'
                      f' {hashlib.sha256(text).hexdigest()} {len(text)} Packages\n')
    # Should it break off, its mounts go with the namespace.
    command = ['unshare', '-m', 'mmdebstrap', '--quiet', '--mode=root', '--variant=essential', '--format=tar',
               f'--include={",".join(PACKAGES)}', '--hook-dir=/usr/share/mmdebstrap/hooks/file-mirror-automount',
               'bookworm', f'{SCRATCH}/mmdebstrap.tar', f'deb [trusted=yes] file://{REPO} ./']
    return 'mmdebstrap', lambda: None, lambda: command


def run():
    """layerbuild over a base that is built and laid out."""
    fill()
    call(*layerbuild(STORE), 'build', '//:step')
    number = iter(range(int(time.time()), sys.maxsize))
    return 'layerbuild', lambda: write(next(number)), lambda: [*layerbuild(STORE), 'build', '//:step']


def fill():
    """Files until the base has 450 MB."""
    call(*layerbuild(STORE), 'build', '//:big')
    listed = subprocess.check_output([*layerbuild(STORE), 'ls', '//:big'], text=True)
    size = sum(int(words[2]) for words in map(str.split, listed.splitlines()) if words[0].startswith('-'))
    missing = max(0, 450_000_000 - size)
    for number in range(1 + missing // 1_000_000):  # at least one, so that the folder holds something
        with open(f'{WORK}/fill/{number}', 'wb') as file:
            file.write(os.urandom(1_000_000))
    print(f'the base has {max(size, 450_000_000) / 1e6:.0f} MB', file=sys.stderr)


def buildah():
    """buildah in a container of the same image."""
    layout = f'{SCRATCH}/layout'
    if not os.path.exists(layout):
        call(*layerbuild(STORE), 'export', '//:base', '--format', 'oci', '--to', layout)
    name = subprocess.check_output(['buildah', 'from', f'oci:{layout}'], text=True).split()[-1]
    number = iter(range(sys.maxsize))
    return 'buildah', lambda: None, lambda: ['buildah', 'run', '--env', f'ROUND={next(number)}', name, '--', 'true']


def rounds(count, *contestants):
    samples = {name: [] for name, _, _ in contestants}
    for number in range(count + 1):
        for name, before, command in contestants if number % 2 else contestants[::-1]:
            before()
            sample = measured(command())
            if number:  # the first round only warms up
                samples[name].append(sample)
    for name, rows in samples.items():
        wall, cpu, others = (statistics.median(column) for column in zip(*rows))
        print(f'{name:12} {wall:8.3f} s   CPU {cpu:8.3f} s   others used {others:.1f} cores')
    first, second = (statistics.median(row[0] for row in samples[name]) for name, _, _ in contestants)
    print(f'{contestants[0][0]} takes {first / second:.2f} of the time of {contestants[1][0]}')
    return samples


def measured(command):
    before, machine, began = os.times(), busy(), time.monotonic()
    call(*command)
    wall = time.monotonic() - began
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu, (busy() - machine - cpu) / wall


def busy():
    """CPU seconds that the whole machine has spent."""
    v = [int(x) for x in open('/proc/stat').readline().split()[1:]]
    return (v[0] + v[1] + v[2] + v[5] + v[6]) / TICKS


def call(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


if __name__ == '__main__':
    main()
