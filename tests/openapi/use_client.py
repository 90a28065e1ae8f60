"""Uses the client that was generated from the document: publishes, lists, reads, deletes, and is refused.

Usage: use_client.py ADDRESS TOKEN ARCHIVE, with the package `client` on PYTHONPATH.
"""

import sys

from client import AuthenticatedClient, Client
from client.api.artifacts import delete_artifact, get_artifact, list_artifacts, publish_artifact
from client.api.repositories import create_repository, get_repository, list_repositories, update_repository
from client.models import (
    ArtifactView,
    NewRepository,
    Problem,
    PublishArtifactBody,
    PublishArtifactBodyDryRun,
    RepositoryChange,
)
from client.types import UNSET, File

address, token, archive = sys.argv[1:]
client = AuthenticatedClient(base_url=address, token=token, raise_on_unexpected_status=True)


def publish(version, **fields):
    with open(archive, "rb") as payload:
        file = File(payload=payload, file_name="module.zip", mime_type="application/zip")
        body = PublishArtifactBody(file=file, format_="go", name="example.com/generated", version=version, **fields)
        return publish_artifact.sync_detailed(client=client, body=body)


# Upload: checked only, new with two labels, and again.
answer = publish("v1.0.0", dry_run=PublishArtifactBodyDryRun.TRUE)
assert answer.status_code == 200, answer
answer = publish("v1.0.0", label=["main", "stable"], origin_url="https://git.example.com/generated")
assert answer.status_code == 201, answer
artifact = answer.parsed
assert isinstance(artifact, ArtifactView) and artifact.name == "example.com/generated", artifact
assert answer.headers["location"].endswith("/api/artifacts/" + artifact.id), answer.headers
assert {file.name.rsplit(".", 1)[1] for file in artifact.files} == {"info", "mod", "zip"}, artifact.files
assert artifact.checksums["h1"].startswith("h1:"), artifact.checksums
assert artifact.state == "active" and artifact.state_reason is UNSET, artifact
assert publish("v1.0.0").status_code == 200
for version in ["v1.1.0", "v1.2.0"]:
    assert publish(version).status_code == 201

# List: everything, and page by page to the end.
page = list_artifacts.sync(client=client, name="example.com/generated")
assert [item.version for item in page.items] == ["v1.2.0", "v1.1.0", "v1.0.0"], page
assert page.next_cursor is None, page
found, cursor = [], UNSET
while cursor is not None:
    page = list_artifacts.sync(client=client, format_="go", limit=2, cursor=cursor)
    found += [item.version for item in page.items]
    cursor = page.next_cursor
assert found == ["v1.2.0", "v1.1.0", "v1.0.0"], found

# Read and delete one.
assert get_artifact.sync(artifact.id, client=client) == artifact
assert delete_artifact.sync_detailed(artifact.id, client=client, reason="a test").status_code == 204
deleted = get_artifact.sync(artifact.id, client=client)
assert (deleted.state, deleted.state_reason, deleted.files) == ("deleted", "a test", []), deleted

# Refusals are problems of their own type.
answer = publish("v1.0.0")
assert answer.status_code == 410 and isinstance(answer.parsed, Problem), answer
assert answer.parsed.code == "version_deleted" and answer.parsed.status == 410, answer.parsed
answer = publish("1.0")
assert answer.status_code == 422, answer
assert answer.parsed.errors[0].field == "version" and answer.parsed.errors[0].path is UNSET, answer.parsed
anonymous = Client(base_url=address, raise_on_unexpected_status=True)
answer = delete_artifact.sync_detailed(artifact.id, client=anonymous)
assert answer.status_code == 401 and answer.parsed.code == "login_required", answer

# Repositories.
new = NewRepository(format_="go", name="second", kind="hosted", description="made by a generated client")
assert create_repository.sync_detailed(client=client, body=new).status_code == 201
changed = update_repository.sync("go", "second", client=client, body=RepositoryChange(description="changed"))
assert changed == get_repository.sync("go", "second", client=client) and changed.description == "changed", changed
page = list_repositories.sync(client=client)
assert [item.name for item in page.items] == ["local", "second"] and page.next_cursor is None, page
assert page.items[0].counts.artifacts == 2, page.items[0]
print("all calls went well")
