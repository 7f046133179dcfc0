#!/usr/bin/env python3
"""graph-gen.py make|ninja|layerbuild N DIR – a workspace of N targets in a 4-ary tree, for timing a no-op.

make, ninja: target i depends on target (i-1)//4 and on a source file of its own; outputs are made beforehand.
layerbuild:  N/2 images in the same tree (the base of image i is image (i-1)//4), each with one `files` layer of one source:
             N targets, 100 images a package. Build it once before timing.
"""
import os
import sys

PER_FOLDER = 100
OLD = 1_700_000_000  # well before now: a tool that distrusts fresh time stamps has no reason to


def write(path, text, mtime=OLD):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as f:
        f.write(text)
    os.utime(path, (mtime, mtime))


def parent(i):
    return (i - 1) // 4


def source(i):
    return f'src/{i // PER_FOLDER}/s{i}'


def output(i):
    return f'out/{i // PER_FOLDER}/t{i}'


def sources_and_outputs(n, root):
    for i in range(n):
        write(f'{root}/{source(i)}', f'x{i}\n')
        write(f'{root}/{output(i)}', '', OLD + 10 + i)  # newer than what it depends on


def make(n, root):
    sources_and_outputs(n, root)
    lines = ['MAKEFLAGS += -rR', '.SUFFIXES:', 'all: ' + ' '.join(output(i) for i in range(n))]
    for i in range(n):
        base = f' {output(parent(i))}' if i else ''
        lines.append(f'{output(i)}: {source(i)}{base}\n\t@cp $< $@')
    write(f'{root}/Makefile', '\n'.join(lines) + '\n')


def murmur64a(data):
    """The hash of a command line in ninja's log (version 5)."""
    mask, m = (1 << 64) - 1, 0xC6A4A7935BD1E995
    h = 0xDECAFBADDECAFBAD ^ (len(data) * m & mask)
    whole = len(data) // 8 * 8
    for o in range(0, whole, 8):
        k = int.from_bytes(data[o:o + 8], 'little') * m & mask
        h = (h ^ ((k ^ k >> 47) * m & mask)) * m & mask
    if data[whole:]:
        h = (h ^ int.from_bytes(data[whole:], 'little')) * m & mask
    h = (h ^ h >> 47) * m & mask
    return h ^ h >> 47


def ninja(n, root):
    sources_and_outputs(n, root)
    build, log = ['rule cp', '  command = cp $src $out'], ['# ninja log v5']
    for i in range(n):
        base = f' {output(parent(i))}' if i else ''
        build.append(f'build {output(i)}: cp {source(i)}{base}\n  src = {source(i)}')
        command = f'cp {source(i)} {output(i)}'.encode()
        log.append(f'0\t1\t{(OLD + 10 + i) * 10**9}\t{output(i)}\t{murmur64a(command):x}')
    write(f'{root}/build.ninja', '\n'.join(build) + '\n')
    write(f'{root}/.ninja_log', '\n'.join(log) + '\n')


def layerbuild(n, root):
    images = n // 2
    write(f'{root}/layers.toml', '[workspace]\nname = "graph"\nregistry = "localhost"\ntag = "latest"\n')
    for first in range(0, images, PER_FOLDER):
        package = f'{root}/p{first // PER_FOLDER}'
        tables = []
        for i in range(first, min(first + PER_FOLDER, images)):
            write(f'{package}/s{i}', f'x{i}\n')
            base = f'base = "//p{parent(i) // PER_FOLDER}:t{parent(i)}"\n' if i else ''
            tables.append(f'[files.f{i}]\nsrcs = ["s{i}"]\ndest = "/opt"\n\n[image.t{i}]\n{base}layers = [":f{i}"]\n')
        write(f'{package}/layers.toml', '\n'.join(tables))


TOOLS = {'make': make, 'ninja': ninja, 'layerbuild': layerbuild}
if len(sys.argv) != 4 or sys.argv[1] not in TOOLS:
    sys.exit(__doc__)
TOOLS[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
