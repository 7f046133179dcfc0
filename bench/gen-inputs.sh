#!/bin/bash
# gen-inputs.sh [DIR] – makes the input set, about 330 MB; deterministic but for the Debian packages and the `big` files.
#   DIR/src/base.tar         the root file system of //base:debian, made by LB (default: the release binary)
#   DIR/src/app/             2,000 small files, 20 MB, 50 folders of 40
#   DIR/src/big/             4 files of 50 MiB, cut from programs of this machine where it has such, else synthetic
#   DIR/src/krb/             50 files, 2 MB
#   DIR/src/source|bronze/   20 files, 1 MB each
#   DIR/layers.toml          the six images for layerbuild
#   DIR/df/, DIR/ctx/        the six images as Dockerfiles, and a build context for each
set -euo pipefail
cd "$(dirname "$0")"
D=$(realpath -m "${1:-${BENCH_SCRATCH:-scratch}/inputs}"); S=$D/src; mkdir -p "$S" "$D/df"
if [ ! -s "$S/base.tar" ]; then
  # The one layer of the image: by far the largest file.
  "${LB:-../target/release/layerbuild}" -C .. -q export --format oci --to "$D/base.oci" //base:debian >/dev/null
  find "$D/base.oci/blobs" -type f -size +1M -exec gzip -dc {} \; >"$S/base.tar"
  rm -rf "$D/base.oci"
fi
[ -d "$S/bronze" ] || python3 - "$S" <<'PY'
import os, random, sys

S = sys.argv[1]
r = random.Random(42)
vocabulary = [''.join(r.choice('abcdefghijklmnopqrstuvwxyz_') for _ in range(r.randint(3, 11))) for _ in range(3000)]

def text(size):
    words, length = [], 0
    while length < size:
        words.append(r.choice(vocabulary))
        length += len(words[-1]) + 1
    return ' '.join(words).encode()[:size]

def tree(name, count, size, per_folder):
    for i in range(count):
        folder = f'{S}/{name}/pkg{i // per_folder:03d}'
        os.makedirs(folder, exist_ok=True)
        with open(f'{folder}/mod{i:05d}.py', 'wb') as f:
            f.write(text(size * 3 // 4) + r.randbytes(size // 4))  # three quarters text, one quarter incompressible

def programs():
    for root in ('/usr/bin', '/usr/sbin', '/usr/lib/x86_64-linux-gnu', os.path.expanduser('~/.rustup/toolchains')):
        for folder, _, files in os.walk(root):
            for path in (os.path.join(folder, f) for f in files):
                if not os.path.islink(path) and os.path.getsize(path) >= 50 << 20:
                    yield os.path.getsize(path), path

tree('app', 2000, 10_000, 40)
tree('krb', 50, 40_000, 10)
tree('source', 20, 50_000, 20)
found = [path for _, path in sorted(set(programs()))[:4]]
os.makedirs(f'{S}/big', exist_ok=True)
for i in range(4):
    with open(f'{S}/big/lib{i}.so', 'wb') as f:
        if i < len(found):
            f.write(open(found[i], 'rb').read(50 << 20))
        else:
            f.write(b''.join(text(49152) + r.randbytes(16384) for _ in range(800)))
    print('big', i, found[i] if i < len(found) else 'synthetic')
tree('bronze', 20, 50_000, 20)
PY
find "$S" -type d -exec chmod 755 {} + ; find "$S" -type f -exec chmod 644 {} +
find "$S" -exec touch -h -d @1700000000 {} +

cat >"$D/layers.toml" <<'TOML'
# The six images of bench/: the same content as in df/.
[workspace]
name     = "bench"
registry = "localhost/bench"
tag      = "latest"

[tar.base-rootfs]
src = "src/base.tar"

[files.krb-files]
srcs = ["src/krb/**"]
dest = "/opt/krb"

[files.big-files]
srcs = ["src/big/**"]
dest = "/opt/big"

[files.app-files]
srcs = ["src/app/**"]
dest = "/opt/app"

[files.source-files]
srcs = ["src/source/**"]
dest = "/opt/source"

[files.bronze-files]
srcs = ["src/bronze/**"]
dest = "/opt/bronze"

[image.base]
layers = [":base-rootfs"]
env    = { LANG = "C.UTF-8" }
cmd    = ["/bin/sh"]

[image.kerberos-sidecar]
base       = ":base"
layers     = [":krb-files"]
entrypoint = ["/opt/krb/run"]

[image.airflow-base]
base   = ":base"
layers = [":big-files", ":app-files"]
env    = { AIRFLOW_HOME = "/opt/app" }

[image.airflow-kerberos]
base   = ":airflow-base"
layers = [":krb-files"]

[image.sqlserver-source]
base   = ":airflow-kerberos"
layers = [":source-files"]
cmd    = ["source"]

[image.sqlserver-bronze]
base   = ":airflow-kerberos"
layers = [":bronze-files"]
cmd    = ["bronze"]
TOML

dockerfile(){ local name=$1; shift; printf '%s\n' "$@" >"$D/df/Dockerfile.$name"; }
dockerfile base 'FROM scratch' 'ADD base.tar /' 'ENV LANG=C.UTF-8' 'CMD ["/bin/sh"]'
dockerfile kerberos-sidecar 'FROM bench/base:latest' 'COPY krb/ /opt/krb/' 'ENTRYPOINT ["/opt/krb/run"]'
dockerfile airflow-base 'FROM bench/base:latest' 'COPY big/ /opt/big/' 'COPY app/ /opt/app/' 'ENV AIRFLOW_HOME=/opt/app'
dockerfile airflow-kerberos 'FROM bench/airflow-base:latest' 'COPY krb/ /opt/krb/'
dockerfile sqlserver-source 'FROM bench/airflow-kerberos:latest' 'COPY source/ /opt/source/' 'CMD ["source"]'
dockerfile sqlserver-bronze 'FROM bench/airflow-kerberos:latest' 'COPY bronze/ /opt/bronze/' 'CMD ["bronze"]'

# A build context an image, of hard links into src/, so that builders which upload the context upload what the image needs.
rm -rf "$D/ctx"
context(){ local name=$1 x; mkdir -p "$D/ctx/$name"; shift; for x; do cp -al "$S/$x" "$D/ctx/$name/"; done; }
context base base.tar
context kerberos-sidecar krb
context airflow-base big app
context airflow-kerberos krb
context sqlserver-source source
context sqlserver-bronze bronze
find "$D/ctx" -exec touch -h -d @1700000000 {} +
du -sb "$S"/*
