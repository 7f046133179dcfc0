# BuildKit inside Debian's dockerd 20.10. DOCKER_HOST is the engine that tools/with-docker started; its pid lies beside the socket.
export DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-1}
# Debian's own client: a newer one wants the buildx plugin for BuildKit.
DOCKER=/usr/bin/docker; RSS_PID=$(cat "$(dirname "${DOCKER_HOST#unix://}")/pid")
c_clean(){ local ids; ids=$($DOCKER images -q --filter reference='bench/*' --filter reference='127.0.0.1:*/bench/*' | sort -u); [ -z "$ids" ] || $DOCKER rmi -f $ids >/dev/null 2>&1
  ids=$($DOCKER images -q -a -f dangling=true); [ -z "$ids" ] || $DOCKER rmi -f $ids >/dev/null 2>&1
  $DOCKER image prune -af >/dev/null; $DOCKER builder prune -af >/dev/null; }
c_build(){ for i in $IMAGES; do $DOCKER build -q -f $IN/df/Dockerfile.$i -t bench/$i:latest $IN/ctx/$i >/dev/null || return 1; done; }
c_push(){ for i in $IMAGES; do $DOCKER tag bench/$i:latest 127.0.0.1:$1/bench/$i:latest && $DOCKER push -q 127.0.0.1:$1/bench/$i:latest >/dev/null || return 1; done; }
