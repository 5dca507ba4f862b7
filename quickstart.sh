#!/usr/bin/env bash
# From a fresh clone to the first tool calls.
#
#   ./quickstart.sh             builds, makes secrets, starts hub and spokes on loopback, makes a read,
#                               then a change that is held, approved and done once; leaves it running
#   ./quickstart.sh --once      the same, and stops it at the end
#   ./quickstart.sh --release   optimised build (slower to build)
#   ./quickstart.sh --docker    the same in containers
#   ./quickstart.sh --stop      stops what an earlier run left running
#
# Everything it writes is in data/, logs/ and secrets/ of this folder, and in the build folder.
set -euo pipefail
cd "$(dirname "$0")"

profile=dev
mode=local
after=keep
pid_file=data/quickstart.pid
url=http://127.0.0.1:${WAYGATE_PORT:-8000}

main() {
  local argument
  for argument in "$@"; do
    case $argument in
      --release) profile=release ;;
      --docker) mode=docker ;;
      --once) after=stop ;;
      --stop) stop; exit 0 ;;
      -h | --help) sed -n 's/^# \{0,1\}//; 2,/^set/{/^set/d;p;}' "$0"; exit 0 ;;
      *) fail "unknown argument $argument; see ./quickstart.sh --help" ;;
    esac
  done
  if [[ $mode == docker ]]; then docker_stack; else local_stack; fi
  first_calls
  goodbye
}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { echo "quickstart: $*" >&2; exit 1; }

# --- on this machine ----------------------------------------------------------------------------

local_stack() {
  check_rust
  command -v node >/dev/null || echo "quickstart: Node is not installed; only the tests need it"
  say "Building (the first time takes some minutes)"
  cargo build --locked --bins --profile "$profile"
  waygate=$(program)
  export WAYGATE_URL=$url WAYGATE_ENV=${WAYGATE_ENV:-development}
  "$waygate" secrets generate
  admin_key
  start_hub
}

# The first admin key, straight into the store. It is kept in secrets/ with the other secrets.
admin_key() {
  if [[ -s secrets/api_key && -f data/waygate.db ]]; then return; fi
  (umask 077 && "$waygate" keys create --local --json --name admin --role admin | field key >secrets/api_key)
  [[ -s secrets/api_key ]] || fail "no admin key was made"
}

check_rust() {
  command -v cargo >/dev/null || fail "Rust is missing: https://rustup.rs"
  local wanted have
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  have=$(rustc --version | cut -d' ' -f2)
  [[ $(printf '%s\n' "$wanted" "$have" | sort -V | head -1) == "$wanted" ]] ||
    fail "Rust $wanted or later is needed, this is $have: rustup update"
}

program() {
  local target folder=$profile
  [[ $profile == dev ]] && folder=debug
  target=$(cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
  echo "$target/$folder/waygate"
}

start_hub() {
  say "Starting hub and spokes on loopback"
  stop >/dev/null
  mkdir -p data logs
  "$waygate" up >logs/quickstart.log 2>&1 &
  echo $! >"$pid_file"
  [[ $after == stop ]] && trap stop EXIT
  wait_until_ready 30 || { tail -n 20 logs/quickstart.log >&2; fail "not ready after 30 s; see logs/quickstart.log"; }
}

wait_until_ready() {
  local began=$SECONDS
  until curl -fsS --max-time 2 "$url/ready" >/dev/null 2>&1; do
    ((SECONDS - began < $1)) || return 1
    [[ $mode == docker ]] || kill -0 "$(cat "$pid_file")" 2>/dev/null || return 1
    sleep 0.2
  done
}

stop() {
  [[ -f $pid_file ]] || return 0
  local pid
  pid=$(cat "$pid_file")
  rm -f "$pid_file"
  if kill "$pid" 2>/dev/null; then
    echo "stopping (pid $pid)"
    tail --pid="$pid" -f /dev/null 2>/dev/null || wait "$pid" 2>/dev/null || true
  fi
}

# --- in containers --------------------------------------------------------------------------------

docker_stack() {
  command -v docker >/dev/null || fail "docker is missing: https://docs.docker.com/engine/install/"
  docker info >/dev/null 2>&1 || fail "the docker daemon cannot be reached; start it, or join its group"
  if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
  elif command -v docker-compose >/dev/null; then
    compose=(docker-compose)
  else
    fail "docker compose is missing"
  fi
  export DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1
  say "Building images (the first time takes some minutes)"
  "${compose[@]}" build
  docker_secrets
  say "Starting containers"
  "${compose[@]}" up -d
  [[ $after == stop ]] && trap '"${compose[@]}" down' EXIT
  wait_until_ready 30 || { "${compose[@]}" logs --tail 20 >&2; fail "not ready after 30 s"; }
  waygate=in_container
}

# The image makes the secrets, so that no toolchain is needed here; as development, because production
# asks for a store and an address that only the stack has. Inside the containers they are read by uid
# 1000, so they are made readable; the folder is closed to everybody else here.
docker_secrets() {
  mkdir -p secrets
  chmod 700 secrets
  local image
  image=$("${compose[@]}" config | sed -n 's/^ *image: *\(.*waygate\/waygate:.*\)$/\1/p' | head -1)
  docker run --rm --user "$(id -u):$(id -g)" --entrypoint /app/bin/waygate \
    -e WAYGATE_ENV=development -e WAYGATE_SECRETS_DIR=/secrets -v "$PWD/secrets:/secrets" "$image" secrets generate
  [[ -s secrets/api_key ]] || (umask 077 && cat /proc/sys/kernel/random/uuid >secrets/api_key)
  [[ $(id -u) == 1000 ]] || chmod 444 secrets/{secret_key,api_key,spoke_token,call_key,call_key.pub}
}

# The key comes by WAYGATE_API_KEY; the file of the bootstrap key would win over it.
in_container() {
  docker exec -i -e WAYGATE_API_KEY "$("${compose[@]}" ps -q 00_master_mcp)" \
    env -u WAYGATE_API_KEY_SECRET_PATH waygate "$@"
}

# --- the first calls ------------------------------------------------------------------------------

# The value of one text field of a JSON document on standard input.
field() { tr -d '\n' | sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p'; }

with_key() {
  local key=$1
  shift
  WAYGATE_API_KEY=$key "$waygate" "$@"
}

first_calls() {
  local operator agent held request arguments
  operator=$(<secrets/api_key)
  agent=$(with_key "$operator" keys create --json --name quickstart --role api_user | field key)
  [[ -n $agent ]] || fail "no key was made for the first call"

  say "A read: os.linux.cli.getOsInfo"
  with_key "$agent" tools call os.linux.cli.getOsInfo '{}'

  arguments='{"path":"'${TMPDIR:-/tmp}'/waygate-quickstart.txt","content":"written once, after a person agreed\n"}'
  say "A change: os.linux.cli.writeFile. Policy holds it until a person agrees"
  held=$(with_key "$agent" --json tools call os.linux.cli.writeFile "$arguments" || true)
  request=$(field request_id <<<"$held")
  [[ -n $request ]] || fail "the change was not held: $held"
  with_key "$operator" approvals show "$request"

  say "The operator approves; the agent repeats its call"
  with_key "$operator" approvals approve "$request" --note "quickstart"
  with_key "$agent" tools call os.linux.cli.writeFile "$arguments" --approval "$request"

  say "The approval is used up: the same call again is refused"
  if with_key "$agent" tools call os.linux.cli.writeFile "$arguments" --approval "$request"; then
    fail "the change was made twice"
  fi
}

goodbye() {
  cat <<TEXT

MCP endpoint   $url/mcp
Admin key      $(<secrets/api_key)   (header X-API-Key; keep it)
Key for agents waygate keys create --name NAME --role api_user
Host settings  waygate client-config claude-code   (also claude-desktop, cursor, vscode)
Command        $([[ $mode == docker ]] && echo "docker exec -i CONTAINER waygate" || echo "$waygate")
TEXT
  if [[ $after == stop ]]; then return; fi
  if [[ $mode == docker ]]; then
    echo "Stop           ${compose[*]} down"
  else
    echo "Stop           ./quickstart.sh --stop"
  fi
}

main "$@"
