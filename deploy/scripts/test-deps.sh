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
  python_client
  node_client
  conformance_suite
  coding_assistant
  third_party_servers
  cloud_stores
  windows_stand_in
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

python_client() {
  unless_done "$clients/venv/.installed" tests/clients/requirements.txt install_python
}

install_python() {
  echo "test-deps: Python client into $clients/venv"
  python3 -m venv --clear "$clients/venv"
  "$clients/venv/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
}

node_client() {
  unless_done "$clients/node_modules/.installed" tests/clients/package-lock.json install_node
}

install_node() {
  echo "test-deps: TypeScript client into $clients/node_modules"
  mkdir -p "$clients"
  cp tests/clients/package.json tests/clients/package-lock.json "$clients/"
  npm ci --prefix "$clients" --ignore-scripts --no-audit --no-fund --silent
}

conformance_suite() {
  unless_done "$clients/conformance/.installed" tests/conformance/package-lock.json install_suite
}

install_suite() {
  echo "test-deps: conformance suite and further hosts into $clients/conformance"
  mkdir -p "$clients/conformance"
  cp tests/conformance/package.json tests/conformance/package-lock.json "$clients/conformance/"
  npm ci --prefix "$clients/conformance" --ignore-scripts --no-audit --no-fund --silent
}

# The program behind spoke 14, in an environment of its own: it pins its dependencies hard.
coding_assistant() {
  unless_done "$clients/aider/.installed" tests/clients/aider/requirements.txt install_aider
}

install_aider() {
  echo "test-deps: aider into $clients/aider"
  python3 -m venv --clear "$clients/aider"
  "$clients/aider/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/aider/requirements.txt
}

# Servers that the tests put behind the hub, pinned in tests/servers.
third_party_servers() {
  unless_done "$clients/servers/.npm" tests/servers/package-lock.json install_npm_servers
  unless_done "$clients/servers/.pip" tests/servers/requirements.txt install_pip_servers
}

install_npm_servers() {
  echo "test-deps: MCP servers into $clients/servers"
  mkdir -p "$clients/servers"
  cp tests/servers/package.json tests/servers/package-lock.json "$clients/servers/"
  npm ci --prefix "$clients/servers" --ignore-scripts --no-audit --no-fund --silent
}

install_pip_servers() {
  echo "test-deps: Python MCP server SDK into $clients/servers/venv"
  python3 -m venv --clear "$clients/servers/venv"
  "$clients/servers/venv/bin/pip" install --quiet --disable-pip-version-check -r tests/servers/requirements.txt
}

# Stores of clouds, pinned in tests/clouds.
cloud_stores() {
  unless_done "$clients/clouds/.npm" tests/clouds/package-lock.json install_npm_clouds
  unless_done "$clients/clouds/.pip" tests/clouds/requirements.txt install_pip_clouds
}

install_npm_clouds() {
  echo "test-deps: stores of clouds into $clients/clouds"
  mkdir -p "$clients/clouds"
  cp tests/clouds/package.json tests/clouds/package-lock.json "$clients/clouds/"
  npm ci --prefix "$clients/clouds" --ignore-scripts --no-audit --no-fund --silent
}

# What the stand-in for Windows hosts checks NTLM with, and the client it is held against.
windows_stand_in() {
  unless_done "$clients/winrm/.installed" tests/02_windows_mcp/requirements.txt install_winrm
}

install_winrm() {
  echo "test-deps: Python WinRM client and NTLM into $clients/winrm"
  python3 -m venv --clear "$clients/winrm"
  "$clients/winrm/bin/pip" install --quiet --disable-pip-version-check -r tests/02_windows_mcp/requirements.txt
install_pip_clouds() {
  echo "test-deps: emulator and documents of Google Cloud into $clients/clouds/venv"
  python3 -m venv --clear "$clients/clouds/venv"
  "$clients/clouds/venv/bin/pip" install --quiet --disable-pip-version-check -r tests/clouds/requirements.txt
}

main "$@"
