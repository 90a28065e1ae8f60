#!/usr/bin/env bash
# Makes sure that the benchmark's tools are there: wrk makes load, nginx is the reference for serving files, Chromium
# shows the pages.
set -euo pipefail
missing=()
command -v wrk >/dev/null 2>&1 || missing+=(wrk)
command -v nginx >/dev/null 2>&1 || missing+=(nginx-light)
[ -n "${CHROMIUM_PATH:-}" ] || command -v chromium-browser >/dev/null 2>&1 || command -v chromium >/dev/null 2>&1 ||
  missing+=(chromium)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "The benchmark needs: ${missing[*]}. On Debian: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
