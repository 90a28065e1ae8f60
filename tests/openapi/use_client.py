"""Uses the client that was generated from the document: publishes, lists, reads, deletes, is refused, and runs a
team's repository from its creation to its audit.

Usage: use_client.py ADDRESS TOKEN ARCHIVE, with the package `client` on PYTHONPATH.
"""

import sys

from client import AuthenticatedClient, Client
from client.api.access import create_token, get_me, revoke_token
from client.api.artifacts import (
    delete_artifact,
    get_artifact,
    list_artifact_files,
    list_artifacts,
    publish_artifact,
    update_artifact,
)
from client.api.audit import list_audit
from client.api.packages import list_package_versions, list_packages, search_packages
from client.api.repositories import create_repository, get_repository, list_repositories, update_repository
from client.models import (
    ArtifactChange,
    ArtifactView,
    NewRepository,
    NewTokenBody,
    Problem,
    PublishArtifactBody,
    PublishArtifactBodyDryRun,
    RepositoryChange,
)
from client.types import UNSET, File

address, token, archive = sys.argv[1:]
client = AuthenticatedClient(base_url=address, token=token, raise_on_unexpected_status=True)


def publish(version, by=client, **fields):
    with open(archive, "rb") as payload:
        file = File(payload=payload, file_name="module.zip", mime_type="application/zip")
        body = PublishArtifactBody(file=file, format_="go", name="example.com/generated", version=version, **fields)
        return publish_artifact.sync_detailed(client=by, body=body)


def pages(operation, *path, **query):
    """All items of a list, two by two."""
    found, cursor = [], UNSET
    while cursor is not None:
        page = operation.sync(*path, **query, limit=2, cursor=cursor)
        assert len(page.items) <= 2, page
        found, cursor = found + page.items, page.next_cursor
    return found


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
found = [item.version for item in pages(list_artifacts, client=client, format_="go")]
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
assert [item.name for item in page.items] == ["local", "main", "second", "upstream"] and page.next_cursor is None, page
assert page.items[0].counts.artifacts == 2, page.items[0]

# A team's repository: a robot's token that may publish there and nothing else, a release, a mistake, and who did what.
assert create_repository.sync_detailed(client=client, body=NewRepository("go", "team", "hosted")).status_code == 201
new = NewTokenBody(name="ci", actions=["read", "publish"], repositories=["go/team"], expires="1d")
made = create_token.sync(client=client, body=new)
robot = AuthenticatedClient(base_url=address, token=made.token, raise_on_unexpected_status=True)
me = get_me.sync(client=robot)
assert me.credential.actions == ["read", "publish"] and me.credential.repositories == ["go/team"], me
assert publish("v1.0.0", by=robot, repository="second").status_code == 404
for version in ["v1.0.0", "v1.1.0", "v1.2.0", "v1.10.0", "v2.0.0-rc.1+incompatible"]:
    answer = publish(version, by=robot, repository="team")
    assert answer.status_code == (422 if "rc" in version else 201), answer
versions = ["v1.10.0", "v1.2.0", "v1.1.0", "v1.0.0"]
artifacts = pages(list_artifacts, client=robot, repository="team")
assert [item.version for item in artifacts] == versions, artifacts
[package] = pages(list_packages, client=robot, repository="team")
assert (package.name, package.latest, package.versions) == ("example.com/generated", "v1.10.0", 4), package
assert [item.version for item in pages(list_package_versions, package.id, client=robot)] == versions
assert [item.id for item in pages(search_packages, client=robot, q="generat", repository="team")] == [package.id]
files = [item.name for item in pages(list_artifact_files, artifacts[0].id, client=robot)]
assert files == ["v1.10.0.info", "v1.10.0.mod", "v1.10.0.zip"], files

answer = get_artifact.sync_detailed(artifacts[0].id, client=robot)
tag, change = answer.headers["etag"], ArtifactChange(state="yanked", reason="breaks the build")
answer = update_artifact.sync_detailed(artifacts[0].id, client=robot, body=change, if_match=tag)
assert answer.status_code == 200 and answer.parsed.state == "yanked", answer
answer = update_artifact.sync_detailed(artifacts[0].id, client=robot, body=ArtifactChange(state="active"), if_match=tag)
assert answer.status_code == 412 and answer.parsed.code == "stale_write", answer
[package] = pages(list_packages, client=robot, repository="team")
assert package.latest == "v1.2.0", package
answer = delete_artifact.sync_detailed(artifacts[0].id, client=robot, reason="a mistake")
assert answer.status_code == 403 and answer.parsed.code == "delete_denied", answer
assert delete_artifact.sync_detailed(artifacts[0].id, client=client, reason="a mistake").status_code == 204
assert get_artifact.sync(artifacts[0].id, client=robot).state == "deleted"
assert revoke_token.sync_detailed(made.details.id, client=client).status_code == 204
assert get_me.sync_detailed(client=robot).status_code == 401

told = [entry for entry in pages(list_audit, client=client, repository="go/team") if entry.outcome == "done"]
told = [entry.action for entry in reversed(told)]
assert told == ["repository.create"] + ["publish"] * 4 + ["yank", "delete"], told
print("all calls went well")
