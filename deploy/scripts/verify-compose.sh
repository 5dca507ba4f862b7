#!/usr/bin/env bash
# Builds and starts the stack of docker-compose.yml and checks from outside and inside that what the
# file promises is enforced, then calls a tool through it and takes it down. One line per check;
# exits non-zero when one fails.
#
#   deploy/scripts/verify-compose.sh            everything
#   BUILD=no deploy/scripts/verify-compose.sh   with the images that are there
#
# Needs a Docker daemon, the secrets (`waygate secrets generate`) readable by uid 1000, and the ports
# of the hub free. It uses a project of its own, so a running stack is not touched, nor its volumes.
set -euo pipefail
cd "$(dirname "$0")/../.."

docker=${DOCKER:-docker}
export DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1
port=${WAYGATE_PORT:-8000}
key_file=${WAYGATE_API_KEY_SECRET_PATH:-secrets/api_key}
failed=0

compose() {
  if "$docker" compose version >/dev/null 2>&1; then
    "$docker" compose -p waygate_verify "$@"
  else
    docker-compose -p waygate_verify "$@"
  fi
}

# check NAME COMMAND…: passes when the command does.
check() {
  local name=$1
  shift
  if "$@" >/dev/null 2>&1; then
    echo "PASS  $name"
  else
    echo "FAIL  $name"
    failed=1
  fi
}

# fails_with CONTAINER REASON COMMAND…: the command fails inside the container, and says the reason;
# a program that is missing or a container that is down does not count as refused.
fails_with() {
  local container=$1 reason=$2 said
  shift 2
  ! said=$("$docker" exec "$container" "$@" 2>&1) && [[ $said == *"$reason"* ]]
}

inspect_is() { # CONTAINER TEMPLATE EXPECTED
  [[ $("$docker" inspect --format "$2" "$1") == "$3" ]]
}

inside_has() { # CONTAINER FILE PATTERN
  "$docker" exec "$1" grep -Eq "$3" "$2"
}

has_limits() {
  "$docker" inspect --format '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}' "$1" |
    grep -Eq '^[1-9][0-9]* [1-9][0-9]* [1-9][0-9]*$'
}

no_setuid() {
  [[ $("$docker" exec "$1" sh -c 'find / -xdev -type f -perm /6000 2>/dev/null; echo end') == end ]]
}

# Seccomp mode 2 is also what Docker's own profile gives.
has_own_profile() {
  [[ $("$docker" inspect --format '{{.HostConfig.SecurityOpt}}' "$1") == *seccomp=*clone3*ERRNO* ]]
}

from_outside() {
  local name=$1 c=$2
  check "$name runs as 1000:1000" inspect_is "$c" '{{.Config.User}}' 1000:1000
  check "$name root is read-only" inspect_is "$c" '{{.HostConfig.ReadonlyRootfs}}' true
  check "$name drops every capability" inspect_is "$c" '{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}' '[ALL] []'
  check "$name is not privileged" inspect_is "$c" '{{.HostConfig.Privileged}}' false
  check "$name has no host network, pid, ipc" inspect_is "$c" \
    '{{eq .HostConfig.NetworkMode "host"}} {{eq .HostConfig.PidMode "host"}} {{eq .HostConfig.IpcMode "host"}}' \
    'false false false'
  check "$name limits memory, processors, processes" has_limits "$c"
  check "$name log is rotated" inspect_is "$c" '{{index .HostConfig.LogConfig.Config "max-size"}}' 10m
  check "$name has no Docker socket" inspect_is "$c" \
    '{{range .Mounts}}{{if eq .Source "/var/run/docker.sock"}}x{{end}}{{end}}' ''
  check "$name publishes on loopback only" inspect_is "$c" \
    '{{range .HostConfig.PortBindings}}{{range .}}{{if ne .HostIp "127.0.0.1"}}x{{end}}{{end}}{{end}}' ''
  check "$name has the seccomp profile of this repository" has_own_profile "$c"
  check "$name has no secret in its environment" inspect_is "$c" \
    '{{range .Config.Env}}{{if or (eq (printf "%.16s" .) "WAYGATE_API_KEY=") (eq (printf "%.19s" .) "WAYGATE_SECRET_KEY=")}}x{{end}}{{end}}' ''
}

from_inside() {
  local name=$1 c=$2
  check "$name has no capability" inside_has "$c" /proc/self/status '^CapEff:.0000000000000000$'
  check "$name cannot gain one" inside_has "$c" /proc/self/status '^CapBnd:.0000000000000000$'
  check "$name gets no new privileges" inside_has "$c" /proc/self/status '^NoNewPrivs:.1$'
  check "$name is under seccomp" inside_has "$c" /proc/self/status '^Seccomp:.2$'
  check "$name holds no setuid program" no_setuid "$c"
  check "$name cannot write its root" fails_with "$c" 'Read-only file system' touch /x
  check "$name cannot run what it wrote" fails_with "$c" '/tmp/t: Permission denied' \
    sh -c 'cp /bin/true /tmp/t && /tmp/t'
  check "$name cannot make a namespace" fails_with "$c" 'Operation not permitted' unshare -U true
  check "$name cannot mount" fails_with "$c" 'must be superuser' mount -t tmpfs none /mnt
}

all_healthy() {
  local id ids
  ids=$(compose ps -q)
  [[ $(wc -w <<<"$ids") == $(compose config --services | wc -l) ]] || return 1
  for id in $ids; do
    inspect_is "$id" '{{.State.Health.Status}}' healthy || return 1
  done
}

wait_healthy() {
  local began=$SECONDS
  until all_healthy; do
    ((SECONDS - began < 180)) || return 1
    sleep 1
  done
}

# The answer names the host it comes from: the container of the spoke. The key goes by a file, since
# arguments can be seen by everybody on the machine.
call_tool() {
  local answer spoke
  local body='{"server_name":"01_linux_cli_mcp","tool_name":"os.linux.cli.getOsInfo","parameters":{}}'
  spoke=$(compose ps -q 01_linux_cli_mcp)
  answer=$(curl -fsS --max-time 10 -H @<(echo "X-API-Key: $(<"$key_file")") \
    -H 'Content-Type: application/json' -d "$body" "http://127.0.0.1:$port/mcp/tools/execute")
  [[ $answer == *VERSION_ID* && $answer == *"\"hostname\":\"${spoke:0:12}\""* ]]
}

no_key_is_refused() {
  [[ $(curl -s -o /dev/null -w '%{http_code}' --max-time 10 "http://127.0.0.1:$port/mcp/tools") == 401 ]]
}

log_is_json() {
  local lines
  lines=$(compose logs --no-color 00_master_mcp | sed -n 's/^[^|]*| //p')
  [[ -n $lines ]] && ! grep -qv '^{.*}$' <<<"$lines"
}

gone() {
  [[ -z $("$docker" ps -aq --filter label=com.docker.compose.project=waygate_verify) ]]
}

main() {
  trap 'compose down -v >/dev/null 2>&1' EXIT
  check "compose file is valid" compose config -q
  [[ ${BUILD:-yes} == no ]] || check "images build" compose build
  check "containers start" compose up -d --no-build
  check "all are healthy within 180 s" wait_healthy
  local service container
  for service in $(compose config --services | sort); do
    container=$(compose ps -q "$service")
    from_outside "$service" "$container"
    from_inside "$service" "$container"
  done
  check "a call without a key is refused" no_key_is_refused
  check "a tool answers through the hub" call_tool
  check "the hub logs JSON" log_is_json
  compose down -v >/dev/null 2>&1
  check "nothing is left after down" gone
  exit "$failed"
}

main
