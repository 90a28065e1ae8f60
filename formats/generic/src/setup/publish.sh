(
  set -eu
  : "${FILE:?set it to the file to publish}" "${NAME:?set it to the name of the package}" "${VERSION:?set it to the version}"
  digest=$(sha256sum "$FILE" | cut -d ' ' -f 1)
  # Over HTTP/1.1 a refusal that comes before the whole file is read is shown; over HTTP/2 curl may lose it.
  # The token goes in by standard input: arguments can be read by every user of the machine.
  printf 'Authorization: Bearer %s\n' "${@{token}:?set it to a token that may publish here}" |
    curl -sS --http1.1 --fail-with-body --retry 3 -H @- -H "X-Checksum-Sha256: $digest" \
      -T "$FILE" @{repository}"/$NAME/$VERSION/${FILE##*/}"
)
