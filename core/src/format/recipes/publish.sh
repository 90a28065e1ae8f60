(
  set -eu
  # The token goes in by standard input: arguments can be read by every user of the machine.
  printf 'Authorization: Bearer %s\n' "${@{token}:?set it to a token that may publish here}" |
    curl -sS --fail-with-body --retry 3 -H @- \
      -F "file=@${FILE:?set it to the file to publish}" \
      -F "format=@{format}" \
      -F "repository=@{repository}" \
      -F "name=${NAME:?set it to the name of the package}" \
      -F "version=${VERSION:?set it to the version}" \
      @{server}/api/artifacts
)
