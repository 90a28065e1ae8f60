#!/usr/bin/env bash
# Prints the name of an installed toolchain of the pinned version, when it is not installed under its own name
# (a machine that cannot download has it as "stable"). Prints nothing when cargo works as it is.
set -uo pipefail
cargo --version >/dev/null 2>&1 && exit 0
wanted=$(sed -n 's/^channel = "\(.*\)"$/\1/p' rust-toolchain.toml)
rustup toolchain list 2>/dev/null | awk '{print $1}' | while read -r name; do
  if [ "$(rustup run "$name" rustc --version 2>/dev/null | awk '{print $2}')" = "$wanted" ]; then
    echo "$name"
    break
  fi
done
