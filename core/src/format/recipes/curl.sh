# What the repository holds, the newest first
curl -sS --fail-with-body @{credential}'@{server}/api/artifacts?format=@{format}&repository=@{repository}&limit=20'
# A file by its address, which the list tells; without FILE_URL the newest file
(
  url=${FILE_URL:-$(
    curl -sS --fail-with-body @{credential}'@{server}/api/artifacts?format=@{format}&repository=@{repository}&limit=1' |
      sed -n 's/.*"url":"\([^"]*\)".*/\1/p'
  )}
  [ -z "$url" ] || curl -sS --fail-with-body @{credential}-O "$url"
)
