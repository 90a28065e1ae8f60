#!/usr/bin/env bash
# Breaks the promises on purpose, one by one, and sees that the test of each notices.
#
# The patches beside this file put all faults into one program, each behind a question for KEEPER_MUTANT. It is built from
# a copy of the tree, with the dependencies that are built already. First all tests must pass with the program as
# patched and no fault chosen; then each must fail with its own, and for the right reason: table.txt says which is which,
# and what the test must say when it fails. A time that is over or a server that did not start is no catch.
#
# Usage: run.sh [PART OF A MUTANT'S NAME]
set -euo pipefail
only=${1:-}
root=$(cd "$(dirname "$0")/../.." && pwd)
tree="$root/target/mutants/tree"
program="$root/target/mutants/keeper"
export CARGO_TARGET_DIR="$root/target"
cd "$root"

rm -rf "$tree"
mkdir -p "$tree"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  if [ -e "$file" ]; then printf '%s\0' "$file"; fi
done | xargs -0 cp --parents -p -t "$tree"
for patch in tests/mutants/*.patch; do
  patch -d "$tree" -p1 --forward --silent --no-backup-if-mismatch < "$patch" || {
    echo "$patch no longer applies: the code that it breaks has changed, so change it, too" >&2
    exit 1
  }
done

build() { cargo build --quiet --locked -p keeper-api --example faulty-keeper --no-default-features --features failpoints; }
(cd "$tree" && build)
cp "$root/target/debug/examples/faulty-keeper" "$program"
# In its place belongs the one of this tree. To cargo the same package in two folders is one, and it looks at the files that it
# was built of last: without them it builds anew.
rm -rf "$tree"
build

rows=()
tests=()
while read -r mutant test what; do
  case $mutant in '#'* | '') continue ;; esac
  case $what in *' | '*) ;; *) echo "table.txt does not say how $mutant is noticed" >&2; exit 1 ;; esac
  case $mutant in *"$only"*) rows+=("$mutant $test $what") && tests+=("$test") ;; esac
done < tests/mutants/table.txt
[ ${#rows[@]} -gt 0 ] || { echo "no mutant is called $only" >&2; exit 1; }

export KEEPER_TEST_PROGRAM=$program
run() { cargo test --quiet --locked -p keeper-api --test blackbox -- --exact "$@"; }
logs="$root/target/mutants"
KEEPER_MUTANT=none run "${tests[@]}" > "$logs/none.log" 2>&1 || {
  tail -50 "$logs/none.log"
  echo "the tests fail though nothing is broken" >&2
  exit 1
}

# The message of a panic is on the line below its place.
messages() { grep -a -A 1 '^thread .* panicked at' "$logs/$1.log"; }
says() {
  case $2 in
    'log: '*) grep -aqE -- "${2#log: }" "$logs/$1.log" ;;
    *) messages "$1" | grep -aqE -- "$2" ;;
  esac
}

survived=0
for row in "${rows[@]}"; do
  read -r mutant test what <<< "$row"
  said=${what##* | }
  what=${what%% | *}
  if KEEPER_MUTANT=$mutant run "$test" > "$logs/$mutant.log" 2>&1; then
    verdict=SURVIVED
    survived=1
  elif says "$mutant" "$said"; then
    verdict=caught
  else
    verdict=UNCLEAR
    survived=1
    echo "$mutant: the test failed, and did not say: $said" >&2
    messages "$mutant" | cut -c1-300 >&2 || tail -5 "$logs/$mutant.log" >&2
  fi
  printf '%-10s %-9s %-55s %s\n' "$mutant" "$verdict" "${what%"${what##*[! ]}"}" "$test"
done
exit $survived
