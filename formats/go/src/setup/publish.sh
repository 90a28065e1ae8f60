# In a clone of the module. TAG is the tag to publish, else the newest one.
(
  set -eu
  : "${ARTIFACT_KEEPER_TOKEN:?set it to a token that may publish here}"
  tag=${TAG:-$(git describe --tags --abbrev=0)}
  # The tag of a module in a subfolder carries the folder: tools/v0.1.0.
  version=${tag##*/}
  folder=${tag%"$version"}
  module=$(git show "$tag:${folder}go.mod" |
    sed -n 's/^module[[:space:]]*"\{0,1\}\([^"[:space:]]*\).*/\1/p')

  # Archive the files as they are, or the sum differs from the one that version control gives.
  attributes=$(git rev-parse --git-path info/attributes)
  mkdir -p "$(dirname "$attributes")"
  grep -qsxF '* -export-subst -export-ignore' "$attributes" ||
    echo '* -export-subst -export-ignore' >> "$attributes"
  archive=$(mktemp)
  trap 'rm -f "$archive"' EXIT
  git -C "$(git rev-parse --show-toplevel)" -c core.autocrlf=input -c core.eol=lf archive \
    --format=zip --prefix="$module@$version/" -o "$archive" "$tag"

  # The token goes in by standard input: arguments can be read by every user of the machine.
  printf 'Authorization: Bearer %s\n' "$ARTIFACT_KEEPER_TOKEN" |
    curl -sS --fail-with-body --retry 3 -H @- \
      -F "file=@$archive" \
      -F "format=go" \
      -F "repository=@{repository}" \
      -F "name=$module" \
      -F "version=$version" \
      @{server}/api/artifacts
)
