#!/usr/bin/env bash
# Makes sure that the program can be built: a Rust toolchain (by rustup) and a C compiler (for SQLite and TLS).
set -euo pipefail

if ! command -v cargo >/dev/null 2>&1; then
  if command -v rustup >/dev/null 2>&1; then
    rustup toolchain install
  elif command -v curl >/dev/null 2>&1; then
    echo "Rust is missing: installing it by rustup into your home folder." >&2
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --no-modify-path --default-toolchain none
  else
    echo "Rust is missing, and curl to install it by too. Install Rust with rustup (https://rustup.rs), then run this again." >&2
    exit 1
  fi
fi

if ! command -v cc >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -qq && apt-get install -y -qq gcc libc6-dev >/dev/null
  else
    echo "A C compiler (cc) is missing. On Debian: sudo apt-get install gcc libc6-dev; then run this again." >&2
    exit 1
  fi
fi
