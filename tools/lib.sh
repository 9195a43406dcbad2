# Shared by tools/build, tools/test, tools/demo and .ci/run: what they need from Debian, and how they build.
# Sourced by bash. Works on a bare Debian 12 or 13, as root or with sudo.

set -euo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Nothing of the caller's may change what is built or tested.
unset BOURN_TOKEN BOURN_SANDBOX CDPATH GREP_OPTIONS

packages_build=(gcc libc6-dev cmake ninja-build pkg-config libssl-dev libsodium-dev libmicrohttpd-dev
  liblmdb-dev libjansson-dev libyaml-dev libcyaml-dev libseccomp-dev libcurl4-openssl-dev libcmocka-dev
  zlib1g-dev
  python3) # the build registers tests that are written in Python
packages_demo=(curl jq)
packages_test=(curl jq nodejs) # nodejs runs web/verify.mjs, the second verifier
packages_ci=(clang libclang-rt-dev clang-format)
packages_web=(nginx-light) # serves a copied ledger in a test; not started as a service
packages_go=(golang-go golang-golang-x-mod-dev) # a public client of the log in a test
packages_browser=(chromium) # runs web/verify.mjs as a page in a test
packages_postgres=(postgresql jq curl) # of the walk-through from PostgreSQL, which is skipped without

say() { printf '%s\n' "$*"; }
fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# install PACKAGES...: those that are missing, and says which.
install() {
  local missing=() package as=()
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "not a Debian: nothing is installed here; needed are what Debian calls: $*"
    return 0
  fi
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "not root, and there is no sudo; as root: apt-get install ${missing[*]}"
    as=(sudo env DEBIAN_FRONTEND=noninteractive)
  fi
  say "installing ${#missing[@]} packages from Debian: ${missing[*]}"
  quietly "${as[@]}" apt-get update -qq
  quietly "${as[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# install_unstarted PACKAGES...: the same for packages that bring services of their own: these are not started.
install_unstarted() {
  local hold=
  if [ "$(id -u)" -eq 0 ] && [ ! -e /usr/sbin/policy-rc.d ]; then
    hold=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' >$hold
    chmod 755 $hold
  fi
  ( install "$@" ) || { rm -f ${hold:+"$hold"}; return 1; }
  rm -f ${hold:+"$hold"}
}

# quietly COMMAND...: its output only if it fails.
quietly() {
  local out status=0
  out=$(mktemp)
  "$@" >"$out" 2>&1 </dev/null || status=$?
  if [ $status -ne 0 ]; then
    tail -60 "$out" >&2
    rm -f "$out"
    fail "failed ($status): $*"
  fi
  rm -f "$out"
}

# build PRESET [FOLDER [CMAKE OPTIONS...]]: configures and builds, in build/PRESET if no folder is named; of the array
# `targets`, if it is set, these alone.
targets=()
build() {
  local preset=$1 folder=${2:-build/$1}
  shift; [ $# -eq 0 ] || shift
  say "building $folder"
  # A build folder remembers where it lies: one that was copied or moved is made anew.
  if [ -f "$folder/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$folder/CMakeCache.txt"; then
    rm -rf "$folder"
  fi
  quietly cmake --preset "$preset" -B "$folder" "$@"
  quietly cmake --build "$folder" --parallel "$(nproc)" ${targets[@]+--target "${targets[@]}"}
}

# run_tests FOLDER [CTEST OPTIONS...]: prints failures, and ctest's closing lines; false if a test failed.
run_tests() {
  local folder=$1 out status=0
  shift
  out=$(mktemp)
  ctest --test-dir "$folder" --output-on-failure --no-tests=error "$@" >"$out" 2>&1 </dev/null || status=$?
  if [ $status -ne 0 ]; then
    sed '/tests passed/,$d' "$out" | grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed |^ *Start +[0-9]+:' | tail -200 >&2 || true
  fi
  sed -n '/tests passed/,$p' "$out"
  rm -f "$out"
  return $status
}
