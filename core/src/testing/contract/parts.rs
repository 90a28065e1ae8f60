//! The promises of an [`ArtifactStore`] on versions that get their files one by one, on names that move
//! without a publication, and on what indexes are made of.

use serde_json::json;

use super::artifacts::{created, labelled, package};
use super::fixture::{coordinate, publication, stored_file};
use crate::artifact::{
    Artifact, ArtifactFile, ArtifactState, ArtifactStore, ContentId, Extent, LabelKind, LabelQuery, Publication,
    PublishOutcome,
};
use crate::repository::{Actor, RepositoryId};

pub(super) async fn promises(store: &dyn ArtifactStore, of: RepositoryId, other: RepositoryId) {
    a_part_adds_the_files_that_are_missing(store, of).await;
    a_part_with_other_bytes_at_a_taken_path_changes_nothing(store, of).await;
    a_part_of_a_tombstone_is_refused(store, of).await;
    a_whole_completes_parts_that_are_its_own(store, of).await;
    a_whole_with_the_sums_of_its_parts_leaves_their_files_alone(store, of).await;
    a_copy_comes_back_to_its_tombstone_with_its_own_sums_only(store, of).await;
    a_name_moves_without_a_publication(store, of, other).await;
    files_come_in_the_order_of_versions(store, of).await;
    packages_come_by_name_in_pages(store, other).await;
}

/// One file of a version, named and filled by `content`.
fn part(name: &str, version: &str, content: &str) -> Publication {
    let mut what = publication(name, version, content);
    let mut file = stored_file(name, version, content);
    file.path = path_of(name, version, content);
    file.name = format!("{content}.bin");
    what.extent = Extent::Part;
    what.files = vec![file];
    what.content = ContentId::of_files(&what.files);
    what.checksums = [(content.to_owned(), content.to_owned())].into();
    what.metadata = json!({ content: true, "last": content });
    what
}

fn path_of(name: &str, version: &str, content: &str) -> crate::artifact::FilePath {
    crate::artifact::FilePath::try_from(format!("{name}/{version}/{content}.bin").as_str()).expect("a file path")
}

fn names(files: &[ArtifactFile]) -> Vec<&str> {
    files.iter().map(|file| file.name.as_str()).collect()
}

async fn found(store: &dyn ArtifactStore, of: RepositoryId, name: &str, version: &str) -> Artifact {
    store.find(of, &coordinate(name, version)).await.expect("an answer").expect("the version")
}

async fn a_part_adds_the_files_that_are_missing(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/parts";
    let first = created(store, of, part(name, "v1", "one")).await;
    let generation = store.generation(of);
    let mut second = part(name, "v1", "two");
    second.labels = vec![(LabelKind::Name, "parts".to_owned())];
    let PublishOutcome::Extended(extended) = store.publish(of, second.clone()).await.expect("a publication") else {
        panic!("a further part extends the version");
    };
    assert_ne!(store.generation(of), generation, "a part changes the generation");
    assert_eq!((extended.id, names(&extended.files)), (first.id, vec!["one.bin", "two.bin"]));
    assert_eq!(extended.content, ContentId::of_files(&extended.files), "the content is that of the files");
    assert_ne!(extended.content, first.content);
    assert_eq!(extended.checksums.len(), 2, "sums are joined");
    assert_eq!(extended.metadata, json!({ "one": true, "two": true, "last": "two" }), "later metadata wins");
    assert_eq!(extended.dependencies.len(), 1, "a need that is known is not doubled");
    assert_eq!((extended.published_at, &extended.published_by), (first.published_at, &first.published_by));
    assert_eq!(labelled(store, of, name, LabelQuery::Name("parts")).await.len(), 1, "its labels are set");
    let kept = found(store, of, name, "v1").await;
    assert_eq!((names(&kept.files), kept.content), (names(&extended.files), extended.content.clone()));
    assert!(store.file(of, &path_of(name, "v1", "two")).await.expect("an answer").is_some(), "its file is served");

    let generation = store.generation(of);
    let again = store.publish(of, second).await.expect("a publication");
    assert!(matches!(again, PublishOutcome::Same(_)), "a repeated part is the same: {again:?}");
    assert_eq!(store.generation(of), generation, "and changes nothing");
}

async fn a_part_with_other_bytes_at_a_taken_path_changes_nothing(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/clash";
    let first = created(store, of, part(name, "v1", "one")).await;
    let mut clash = part(name, "v1", "two");
    let mut other = stored_file(name, "v1", "other bytes");
    (other.path, other.name) = (first.files[0].path.clone(), first.files[0].name.clone());
    clash.files.push(other);
    let outcome = store.publish(of, clash).await.expect("a publication");
    assert!(matches!(outcome, PublishOutcome::Conflict(_)), "{outcome:?}");
    let kept = found(store, of, name, "v1").await;
    assert_eq!((names(&kept.files), kept.content), (vec!["one.bin"], first.content), "nothing of it was kept");
}

async fn a_part_of_a_tombstone_is_refused(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/gone-part";
    created(store, of, part(name, "v1", "one")).await;
    store.delete(of, &coordinate(name, "v1"), None, "", &Actor::system()).await.expect("deleted");
    let outcome = store.publish(of, part(name, "v1", "two")).await.expect("a publication");
    assert!(matches!(outcome, PublishOutcome::Deleted(_)), "{outcome:?}");
    assert!(found(store, of, name, "v1").await.files.is_empty(), "a tombstone has no files");
}

async fn a_whole_completes_parts_that_are_its_own(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/completed";
    let whole = |first: &str| {
        let mut what = part(name, "v1", "two");
        what.files.push(ArtifactFile { path: path_of(name, "v1", "one"), ..part(name, "v1", first).files[0].clone() });
        Publication { extent: Extent::Whole, content: ContentId(format!("whole of {first}")), ..what }
    };
    created(store, of, part(name, "v1", "one")).await;
    let other = store.publish(of, whole("other")).await.expect("a publication");
    assert!(matches!(other, PublishOutcome::Conflict(_)), "another first file: {other:?}");
    let completed = store.publish(of, whole("one")).await.expect("a publication");
    assert!(matches!(completed, PublishOutcome::Extended(_)), "{completed:?}");
    let kept = found(store, of, name, "v1").await;
    assert_eq!((kept.files.len(), kept.content.0.as_str()), (2, "whole of one"));
    let again = store.publish(of, whole("one")).await.expect("a publication");
    assert!(matches!(again, PublishOutcome::Same(_)), "{again:?}");
    let other = Publication { content: ContentId("another".to_owned()), ..whole("one") };
    let outcome = store.publish(of, other).await.expect("a publication");
    assert!(matches!(outcome, PublishOutcome::Conflict(_)), "a whole is never extended: {outcome:?}");
}

async fn a_whole_with_the_sums_of_its_parts_leaves_their_files_alone(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/same";
    let whole = |sum: &str| {
        let mut what = part(name, "v1", "two");
        what.files
            .push(ArtifactFile { path: path_of(name, "v1", "one"), ..part(name, "v1", "other").files[0].clone() });
        what.checksums.insert("one".to_owned(), sum.to_owned());
        Publication { extent: Extent::Whole, content: ContentId("whole".to_owned()), ..what }
    };
    created(store, of, part(name, "v1", "one")).await;
    let first = found(store, of, name, "v1").await;
    let other = store.publish(of, whole("another")).await.expect("a publication");
    assert!(matches!(other, PublishOutcome::Conflict(_)), "another sum: {other:?}");
    let completed = store.publish(of, whole("one")).await.expect("a publication");
    assert!(matches!(completed, PublishOutcome::Extended(_)), "{completed:?}");
    let kept = found(store, of, name, "v1").await;
    assert_eq!((kept.files.len(), kept.content.0.as_str()), (2, "whole"));
    let stays =
        kept.files.iter().any(|file| (&file.path, file.digest) == (&first.files[0].path, first.files[0].digest));
    assert!(stays, "what was here stays: {:?}", kept.files);
    assert_eq!(kept.metadata["last"], "one", "and so does what it said");
}

async fn a_copy_comes_back_to_its_tombstone_with_its_own_sums_only(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/purged";
    let copy = || Publication { copied: true, ..part(name, "v1", "one") };
    created(store, of, copy()).await;
    store.delete(of, &coordinate(name, "v1"), None, "", &Actor::system()).await.expect("deleted");
    let other = Publication { checksums: [("one".to_owned(), "another".to_owned())].into(), ..copy() };
    let outcome = store.publish(of, other).await.expect("a publication");
    assert!(matches!(outcome, PublishOutcome::Conflict(_)), "other bytes than were here first: {outcome:?}");
    assert_eq!(found(store, of, name, "v1").await.state, ArtifactState::Deleted);
    let outcome = store.publish(of, copy()).await.expect("a publication");
    assert!(matches!(outcome, PublishOutcome::Extended(_)), "{outcome:?}");
    assert_eq!(found(store, of, name, "v1").await.state, ArtifactState::Active);
}

async fn a_name_moves_without_a_publication(store: &dyn ArtifactStore, of: RepositoryId, other: RepositoryId) {
    let name = "example.com/moving";
    for version in ["v1", "v2", "v3"] {
        created(store, of, publication(name, version, &format!("moving {version}"))).await;
    }
    let by = Actor::system();
    let stable = || labelled(store, of, name, LabelQuery::Name("stable"));
    for version in ["v2", "v1"] {
        let generation = store.generation(of);
        let labelled = store.label(of, &coordinate(name, version), "stable", &by).await.expect("an answer");
        assert_eq!(labelled.expect("the version").coordinate, coordinate(name, version));
        assert_ne!(store.generation(of), generation, "a moved name changes the generation");
        assert_eq!(stable().await, [("stable".to_owned(), version.to_owned())]);
    }
    let generation = store.generation(of);
    store.label(of, &coordinate(name, "v1"), "stable", &by).await.expect("an answer").expect("the version");
    assert_eq!(store.generation(of), generation, "a name that stays changes nothing");
    store.delete(of, &coordinate(name, "v3"), None, "", &by).await.expect("deleted");
    for (of, version) in [(of, "v3"), (of, "v9"), (other, "v1")] {
        let absent = store.label(of, &coordinate(name, version), "stable", &by).await.expect("an answer");
        assert!(absent.is_none(), "a name cannot point to {version}");
    }
    assert_eq!(stable().await, [("stable".to_owned(), "v1".to_owned())]);
}

async fn files_come_in_the_order_of_versions(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/files";
    for version in ["v10", "v9", "v8"] {
        created(store, of, publication(name, version, &format!("files {version}"))).await;
    }
    store.delete(of, &coordinate(name, "v8"), None, "", &Actor::system()).await.expect("deleted");
    let files = store.file_summaries(of, &package(name), ArtifactState::Active).await.expect("an answer");
    let told: Vec<_> = files.iter().map(|file| (file.version.as_str(), file.name.as_str())).collect();
    assert_eq!(told, [("v9", "v9.info"), ("v9", "v9.zip"), ("v10", "v10.info"), ("v10", "v10.zip")]);
    let given = stored_file(name, "v9", "files v9");
    let zip = &files[1];
    assert_eq!((&zip.path, zip.media_type, zip.digest), (&given.path, given.media_type, given.digest));
    assert_eq!(zip.size, given.content.size());
}

async fn packages_come_by_name_in_pages(store: &dyn ArtifactStore, of: RepositoryId) {
    let listed = async |after: Option<&str>, limit| {
        let after = after.map(package);
        let page = store.packages(of, ArtifactState::Active, after.as_ref(), limit).await.expect("an answer");
        let names: Vec<_> = page.items.iter().map(|name| name.as_str().to_owned()).collect();
        (names, page.more)
    };
    for name in ["zz/b", "zz/a", "zz/c", "zz/d"] {
        created(store, of, publication(name, "v1", name)).await;
    }
    store.delete(of, &coordinate("zz/b", "v1"), None, "", &Actor::system()).await.expect("deleted");
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(listed(Some("zz/"), 2).await, (texts(&["zz/a", "zz/c"]), true));
    assert_eq!(listed(Some("zz/c"), 2).await, (texts(&["zz/d"]), false));
    assert!(listed(None, 200).await.0.ends_with(&texts(&["zz/a", "zz/c", "zz/d"])));
}
