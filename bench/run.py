#!/usr/bin/env python3
"""run.py [-r ROUNDS] [-n NOOPS] [-e EDITS] [-o OUT.json] CONTESTANT… – the six images built by each contestant, in turn.

Cases: cold, noop, push_cold, push_noop, touch (mtime of every app file), edit (1 of 2,000 app files), push_edit.
Every contestant goes through all cases in every round, and the order turns round from one round to the next. Round 3 and
later re-date every source file first ("a fresh checkout"): what is reproducible has the same digests then too.
A contestant is contestants/NAME.sh: c_clean (drop every cache), c_build, c_push PORT, and RSS_PID if a daemon works for it.
Each sample: seconds, peak MB of the largest child, CPU seconds (with the daemon's), peak MB of the daemon, and how many
cores others used meanwhile (quiet.py picks the samples in which that was few; on pushes the registry is among them).
At the end of a round one more edit is pushed, and pushed again, past a relay that counts: bytes sent, requests, new blobs.
"""
import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request

from wire import Relay

HERE = os.path.dirname(os.path.abspath(__file__))
SCRATCH = os.path.abspath(os.environ.get('BENCH_SCRATCH', f'{HERE}/scratch'))
IMAGES = 'base kerberos-sidecar airflow-base airflow-kerberos sqlserver-source sqlserver-bronze'.split()
CASES = ['cold', 'noop', 'push_cold', 'push_noop', 'touch', 'edit', 'push_edit']
INPUTS, WORK = f'{SCRATCH}/inputs', f'{SCRATCH}/work'
VICTIM = f'{INPUTS}/src/app/pkg025/mod01001.py'  # the file that is edited
ENV = dict(os.environ, IN=INPUTS, W=WORK, HERE=HERE, IMAGES=' '.join(IMAGES))
TICKS = os.sysconf('SC_CLK_TCK')
DATED = 1_700_000_000


def script(contestant, call):
    return ['bash', '-c', f'. {HERE}/contestants/{contestant}.sh; {call}']


def busy():
    """CPU seconds that the whole machine has spent."""
    v = [int(x) for x in open('/proc/stat').readline().split()[1:]]
    return (v[0] + v[1] + v[2] + v[5] + v[6]) / TICKS


def cpu_of(pids):
    """CPU seconds of processes and of the children that they have waited for."""
    return sum(sum(map(int, open(f'/proc/{p}/stat').read().rsplit(')', 1)[1].split()[11:15])) for p in pids) / TICKS


class Daemon:
    """What works for a contestant outside of its own processes; nothing for most."""

    def __init__(self, contestant):
        text = subprocess.run(script(contestant, 'echo ${RSS_PID:-}'), env=ENV, capture_output=True, text=True).stdout.strip()
        self.pid = text and int(text.split('\n')[-1])
        children = ['pgrep', '-P', str(self.pid)]
        self.pids = [self.pid, *map(int, subprocess.check_output(children).split())] if self.pid else []

    def reset_peak(self):
        if self.pid:
            open(f'/proc/{self.pid}/clear_refs', 'w').write('5')

    def peak(self):
        if not self.pid:
            return 0
        return next(int(line.split()[1]) for line in open(f'/proc/{self.pid}/status') if line.startswith('VmHWM')) / 1024


class Registry:
    """A docker-registry of its own on a loopback port."""

    def __init__(self, port):
        self.port, self.root = port, f'{WORK}/registry'
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.root)
        with open(f'{WORK}/registry.yml', 'w') as f:
            f.write(f'version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.root}}}}}\n'
                    f'http: {{addr: "127.0.0.1:{port}"}}\n')
        self.process = subprocess.Popen(['docker-registry', 'serve', f'{WORK}/registry.yml'],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                urllib.request.urlopen(f'http://127.0.0.1:{port}/v2/', timeout=1)
                return
            except OSError:
                time.sleep(.05)
        sys.exit('docker-registry did not start')

    def digests(self):
        return {image: self.digests_of(image) for image in IMAGES}

    def digests_of(self, image):
        types = 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json'
        request = urllib.request.Request(f'http://127.0.0.1:{self.port}/v2/bench/{image}/manifests/latest',
                                         headers={'Accept': types})
        body = urllib.request.urlopen(request).read()
        manifest = json.loads(body)
        return {'manifest': hashlib.sha256(body).hexdigest()[:16], 'config': manifest['config']['digest'][7:23],
                'layers': [layer['digest'][7:23] for layer in manifest['layers']]}

    def blobs(self):
        """Sizes by digest, manifests included."""
        folder = f'{self.root}/docker/registry/v2/blobs/sha256'
        return {d: os.path.getsize(f'{folder}/{s}/{d}/data') for s in os.listdir(folder) for d in os.listdir(f'{folder}/{s}')}

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Contestant:
    """Its samples, by case, and the digests of each round."""

    def __init__(self, name):
        self.name, self.daemon, self.samples, self.rounds, self.wire = name, Daemon(name), {}, [], {}

    def call(self, call):
        os.sync()
        self.daemon.reset_peak()
        daemon_cpu, machine, began = cpu_of(self.daemon.pids), busy(), time.perf_counter()
        p = subprocess.Popen(script(self.name, call), env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        errors = p.stderr.read()
        _, status, usage = os.wait4(p.pid, 0)
        took = time.perf_counter() - began
        p.returncode = status
        if status:
            sys.exit(f'{self.name} {call} failed: {errors.decode()[-2000:]}')
        cpu = usage.ru_utime + usage.ru_stime + cpu_of(self.daemon.pids) - daemon_cpu
        foreign = max(0, busy() - machine - cpu) / took
        return [round(took, 4), round(usage.ru_maxrss / 1024), round(cpu, 3), round(self.daemon.peak()), round(foreign, 2)]

    def time(self, case, call):
        s = self.call(call)
        self.samples.setdefault(case, []).append(s)
        print(f'{self.name:18}{case:11}{s[0]:8.3f} s, peak {s[1]} MB, cpu {s[2]:.2f} s, daemon {s[3]} MB, '
              f'others {s[4]:.2f} cores', flush=True)

    def round(self, arguments, number, original):
        self.call('c_clean')
        self.time('cold', 'c_build')
        for _ in range(arguments.n):
            self.time('noop', 'c_build')
        registry, push = Registry(arguments.p), f'c_push {arguments.p}'
        try:
            self.time('push_cold', push)
            self.rounds.append(registry.digests())
            for _ in range(2):
                self.time('push_noop', push)
            for folder, _, files in os.walk(f'{INPUTS}/src/app'):
                for f in files:
                    os.utime(os.path.join(folder, f))
            self.time('touch', 'c_build')
            for edit in range(arguments.e):
                with open(VICTIM, 'wb') as f:
                    f.write(original + b'# edit %d %d\n' % (number, edit))
                self.time('edit', 'c_build')
                self.time('push_edit', push)
            self.count(registry, original + b'# counted %d\n' % number)
        finally:
            registry.stop()

    def count(self, registry, victim):
        """What a push of an edit, and a second one, send."""
        relay = Relay(registry.port + 1, registry.port)
        try:
            # So that what a client keeps by the registry's name is known of this one too.
            self.call(f'c_push {relay.port}')
            with open(VICTIM, 'wb') as f:
                f.write(victim)
            self.call('c_build')
            before = registry.blobs()
            for case in ('edit', 'noop'):
                relay.reset()
                self.call(f'c_push {relay.port}')
                self.wire[case] = {'bytes': relay.bytes, 'requests': relay.requests}
            new = [size for digest, size in registry.blobs().items() if digest not in before]
            self.wire['edit']['new'] = sorted(new, reverse=True)
        finally:
            relay.stop()

    def same(self, a, b):
        if max(a, b) >= len(self.rounds):
            return 'not seen'
        count = lambda what: sum(self.rounds[a][i][what] == self.rounds[b][i][what] for i in IMAGES)
        return f"manifests {count('manifest')}/6, configs {count('config')}/6, layer lists {count('layers')}/6"

    def column(self, case, index):
        return [s[index] for s in self.samples[case]]


def restamp(number):
    stamp = DATED if number < 2 else DATED + number * 86400
    for top in ('src', 'ctx'):
        for folder, _, files in os.walk(f'{INPUTS}/{top}'):
            for f in [*files, '.']:
                os.utime(os.path.join(folder, f), (stamp, stamp))


def report(contestants):
    print('\n| contestant | ' + ' | '.join(CASES) + ' | peak MB client/daemon |\n|' + '---|' * (len(CASES) + 2))
    for c in contestants:
        walls = [c.column(case, 0) for case in CASES]
        cells = [f'{statistics.median(w):.2f} ({min(w):.2f}–{max(w):.2f})' for w in walls]
        peaks = '/'.join(str(max(max(c.column(case, i)) for case in CASES)) for i in (1, 3))
        print(f'| {c.name} | ' + ' | '.join(cells) + f' | {peaks} |')
    print('\nCPU seconds (median, with the daemon) and [cores that others used]')
    for c in contestants:
        cells = [f'{statistics.median(c.column(x, 2)):.2f} [{statistics.median(c.column(x, 4)):.1f}]' for x in CASES]
        print(f'| {c.name} | ' + ' | '.join(cells) + ' |')
    for c in contestants:
        print(f'{c.name}: same mtimes: {c.same(0, 1)}; other mtimes: {c.same(0, 2)}')
    for c in contestants:
        for case, seen in c.wire.items():
            print(f'{c.name}: {case} on the wire: {seen}')


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('-r', type=int, default=3)
    parser.add_argument('-n', type=int, default=5)
    parser.add_argument('-e', type=int, default=2)
    parser.add_argument('-p', type=int, default=5055)
    parser.add_argument('-o', default=f'{SCRATCH}/results.json')
    parser.add_argument('contestants', nargs='+')
    arguments = parser.parse_args()
    os.makedirs(WORK, exist_ok=True)
    contestants = [Contestant(name) for name in arguments.contestants]
    original = open(VICTIM, 'rb').read()
    for number in range(arguments.r):
        for contestant in contestants if number % 2 == 0 else contestants[::-1]:
            restamp(number)
            try:
                contestant.round(arguments, number, original)
            finally:
                with open(VICTIM, 'wb') as f:
                    f.write(original)
    raw = {c.name: c.samples for c in contestants}
    wire = {c.name: c.wire for c in contestants}
    json.dump({'raw': raw, 'wire': wire, 'digests': {c.name: c.rounds for c in contestants}}, open(arguments.o, 'w'), indent=1)
    report(contestants)


main()
