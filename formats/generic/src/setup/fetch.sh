curl -sS --fail-with-body --retry 3 @{credential}-o "${FILE:?set it to the name of the file}" \
  @{repository}"/${NAME:?set it to the name of the package}/${VERSION:?set it to the version}/$FILE"
