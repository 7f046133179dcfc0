# The classic builder of the same engine.
DOCKER_BUILDKIT=0
. $HERE/contestants/docker-buildkit.sh
