if (-not $env:ARTIFACT_KEEPER_TOKEN) { throw 'set ARTIFACT_KEEPER_TOKEN to a token that may read' }
$netrc = if ($IsLinux -or $IsMacOS) { "$HOME/.netrc" } else { "$HOME/_netrc" }
Add-Content -Path $netrc -Encoding ascii -Value "machine @{host} login any password $env:ARTIFACT_KEEPER_TOKEN"
