#!/bin/sh
# First program of every image: refuses to start in a state nobody should run, then becomes the
# program it was given. It does not read configuration; the program does, and names what is wrong.
set -eu

refuse() {
  echo "entrypoint: $1" >&2
  exit 64
}

# A secret must be there and must not be a placeholder. $1: name of the variable.
secret() {
  eval "value=\${$1:-} path=\${$1_SECRET_PATH:-\${$1_FILE:-}}"
  if [ -n "$path" ]; then
    [ -r "$path" ] || refuse "$1: the secret file cannot be read by uid $(id -u)"
    value=$(cat "$path")
  fi
  case $value in
    '') refuse "$1 is not set: give $1_SECRET_PATH" ;;
    *changeme*) refuse "$1 is a placeholder" ;;
  esac
  unset value
}

[ "$(id -u)" -ne 0 ] || refuse "does not run as root; use uid 1000"

case ${WAYGATE_MODE:-container} in
  container | local_vm) ;;
  *) refuse "WAYGATE_MODE must be container or local_vm" ;;
esac

case ${1:-} in
  waygate)
    [ "${WAYGATE_ENV:-production}" != production ] || secret WAYGATE_SECRET_KEY
    ;;
  spoke)
    [ "${WAYGATE_SPOKE_AUTH:-token}" != token ] || [ -r "${WAYGATE_SPOKE_TOKEN_PATH:-}" ] ||
      refuse "WAYGATE_SPOKE_TOKEN_PATH: the file cannot be read by uid $(id -u)"
    ;;
esac

case ${WAYGATE_CORS_ORIGINS:-} in
  *\**) echo "entrypoint: warning: WAYGATE_CORS_ORIGINS admits every origin" >&2 ;;
esac

exec "$@"
