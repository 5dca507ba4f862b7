#!/usr/bin/env bash
# Brings what the tests need besides Rust and Node: servers from the distribution's packages and two
# independent MCP clients from the Python and npm registries. Fast when everything is there.
#
# The clients go to WAYGATE_CLIENTS (default: waygate-ci/clients in the user's cache folder): `venv/`
# is a virtual environment, `node_modules/` the npm packages, both pinned in tests/clients;
# `conformance/` holds the official conformance suite, pinned in tests/conformance.
# What it leaves out: Docker (tests that need it say so) and the Rust toolchain.
set -euo pipefail
cd "$(dirname "$0")/../.."

clients=${WAYGATE_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/waygate-ci/clients}
# Program to look for, and the Debian package that brings it.
packages=(
  cc:gcc
  sshd:openssh-server
  nginx:nginx
  initdb:postgresql
  redis-server:redis-server
  python3:python3
  chromium:chromium
  curl:curl
)

main() {
  require cargo "Rust: https://rustup.rs"
  require node "Node 20 or later"
  require npm "npm"
  if (($(node --version | tr -dc '0-9.' | cut -d. -f1) < 20)); then
    echo "test-deps: Node 20 or later is needed, this is $(node --version)" >&2
    exit 1
  fi
  install_packages
  npm_set "TypeScript client" "$clients" tests/clients
  npm_set "conformance suite and further hosts" "$clients/conformance" tests/conformance
  npm_set "MCP servers" "$clients/servers" tests/servers
  npm_set "stores of clouds" "$clients/clouds" tests/clouds
  python_set "Python client" "$clients/venv" tests/clients
  python_set "Python MCP server SDK" "$clients/servers/venv" tests/servers
  python_set "emulator and documents of Google Cloud" "$clients/clouds/venv" tests/clouds
  # What the stand-in for Windows hosts checks NTLM with, and the client it is held against.
  python_set "Python WinRM client and NTLM" "$clients/winrm" tests/02_windows_mcp
  # The program behind spoke 14, in an environment of its own: it pins its dependencies hard.
  python_set "aider" "$clients/aider" tests/clients/aider
}

require() {
  command -v "$1" >/dev/null && return
  echo "test-deps: $1 is missing; install $2" >&2
  exit 1
}

present() {
  command -v "$1" >/dev/null || [[ -x /usr/sbin/$1 ]] || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null
}

install_packages() {
  local entry missing=()
  for entry in "${packages[@]}"; do
    present "${entry%%:*}" || missing+=("${entry#*:}")
  done
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  ((${#missing[@]})) || return 0

  local root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null && root=(sudo)
  fi
  if ! command -v apt-get >/dev/null || { ((EUID != 0)) && ((${#root[@]} == 0)); }; then
    echo "test-deps: missing: ${missing[*]}; install them with your package manager" >&2
    exit 1
  fi
  echo "test-deps: installing ${missing[*]}"
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Runs "$3…" unless the stamp $1 already holds the content of file $2.
unless_done() {
  local stamp=$1 source=$2
  shift 2
  cmp -s "$source" "$stamp" && return
  "$@"
  cp "$source" "$stamp"
}

# Packages of Python in an environment of their own. $1: what they are; $2: the environment; $3: the
# folder of requirements.txt.
python_set() {
  unless_done "$2/.installed" "$3/requirements.txt" install_python "$@"
}

install_python() {
  echo "test-deps: $1 into $2"
  python3 -m venv --clear "$2"
  "$2/bin/pip" install --quiet --disable-pip-version-check -r "$3/requirements.txt"
}

# Packages of npm. $1: what they are; $2: where node_modules/ goes; $3: the folder of package.json.
npm_set() {
  unless_done "$2/.npm" "$3/package-lock.json" install_npm "$@"
}

install_npm() {
  echo "test-deps: $1 into $2"
  mkdir -p "$2"
  cp "$3/package.json" "$3/package-lock.json" "$2/"
  npm ci --prefix "$2" --ignore-scripts --no-audit --no-fund --silent
}

main "$@"
