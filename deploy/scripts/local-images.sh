#!/usr/bin/env bash
# Makes the two base images of deploy/docker/Dockerfile on this machine, under the tags the
# Dockerfile names, for hosts that cannot reach an image registry. Where a registry is reachable
# this script is not needed: docker pulls the same tags.
#
# What it leaves out: it does not sign, push or pin by digest. Its images carry this machine's
# certificate bundle, so they are for local use only.
#
# Needs: root, docker, debootstrap, a Debian mirror, a Rust toolchain. Takes about three minutes;
# an image that is there already is kept (FORCE=1 makes it again).
set -euo pipefail
cd "$(dirname "$0")/../.."

dockerfile=deploy/docker/Dockerfile
docker=${DOCKER:-docker}
suite=bookworm
work=

main() {
  need "$docker" debootstrap tar rustc
  local base builder
  base=$(tag_of BASE_IMAGE)
  builder=$(tag_of BUILDER_IMAGE)
  check_toolchain "$builder"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  make_base "$base"
  make_builder "$builder" "$base"
  "$docker" image inspect --format '{{index .RepoTags 0}} {{.Size}} bytes' "$base" "$builder"
}

need() {
  local program missing=()
  for program in "$@"; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  if ((${#missing[@]})); then
    echo "local-images: missing: ${missing[*]} (Debian: apt-get install docker.io debootstrap)" >&2
    exit 1
  fi
}

# The value of `ARG NAME=value` in the Dockerfile, which is the one place that names the tags.
tag_of() {
  local tag
  tag=$(sed -n "s/^ARG $1=//p" "$dockerfile")
  [[ -n $tag ]] || { echo "local-images: no ARG $1 in $dockerfile" >&2; exit 1; }
  echo "$tag"
}

check_toolchain() {
  local wanted=${1#rust:} have
  wanted=${wanted%%-*}
  have=$(rustc --version | cut -d' ' -f2)
  if [[ $have != "$wanted" ]]; then
    echo "local-images: the Dockerfile builds with Rust $wanted, this machine has $have" >&2
    exit 1
  fi
}

kept() {
  [[ -z ${FORCE:-} ]] && "$docker" image inspect "$1" >/dev/null 2>&1
}

make_base() {
  if kept "$1"; then echo "kept $1"; return; fi
  local root=$work/base
  debootstrap --variant=minbase "$suite" "$root"
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/usr/share/{doc,man,locale,info}/*
  rm -f "$root"/dev/* 2>/dev/null || true
  tar -C "$root" -c . | "$docker" import --change 'CMD ["bash"]' - "$1"
}

# The official builder is the base plus a C compiler and the toolchain under /usr/local.
make_builder() {
  if kept "$1"; then echo "kept $1"; return; fi
  local context=$work/builder sysroot
  sysroot=$(rustc --print sysroot)
  mkdir -p "$context/toolchain"
  tar -C "$sysroot" --exclude=./share/doc --exclude=./share/man --exclude=./lib/rustlib/src -c . |
    tar -C "$context/toolchain" -x
  cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$context/ca-certificates.crt"
  cat >"$context/Dockerfile" <<DOCKERFILE
FROM $2
RUN apt-get update \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev \\
 && rm -rf /var/lib/apt/lists/*
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY toolchain /usr/local
DOCKERFILE
  DOCKER_BUILDKIT=1 "$docker" build --network host -t "$1" "$context"
}

main "$@"
