//! The promises of [`BlobStore`]. That a staged blob is nowhere, and that a committed one survives a power
//! cut, no port can see: they are for the implementation's own tests.

use std::io::{Read as _, Seek as _, SeekFrom};

use bytes::Bytes;
use futures_util::StreamExt as _;

use super::fixture::location;
use crate::blob::{BlobError, BlobInfo, BlobStore, ByteRange};
use crate::digest::Digest;
use crate::limits::IO_CHUNK_BYTES;

/// More than any sample here.
const PLENTY_BYTES: u64 = 1 << 30;

/// The promises of a store of blobs.
///
/// # Panics
/// When one is broken.
pub async fn blob_store(store: &dyn BlobStore) {
    what_was_committed_is_read_back_however_it_was_cut(store).await;
    a_range_gives_exactly_its_bytes(store).await;
    a_stage_takes_its_limit_and_not_one_byte_more(store).await;
    a_reader_sees_what_was_written_and_disturbs_nothing(store).await;
    those_who_follow_read_what_was_flushed_also_after_the_end(store).await;
    equal_bytes_committed_twice_lie_at_two_places(store).await;
    a_dropped_stage_discards_its_own_bytes_only(store).await;
    what_is_missing_is_a_fault(store).await;
    another_length_is_a_fault(store).await;
}

fn sample(length: usize) -> Bytes {
    (0..length).map(|at| (at * 31 % 251) as u8).collect::<Vec<_>>().into()
}

async fn committed(store: &dyn BlobStore, bytes: &Bytes, cut: usize) -> BlobInfo {
    let mut stage = store.stage(PLENTY_BYTES).await.expect("a stage");
    for chunk in bytes.chunks(cut) {
        stage.write(bytes.slice_ref(chunk)).await.expect("a write");
    }
    assert_eq!(stage.written(), (bytes.len() as u64, Digest::of(bytes)), "length and digest of what was written");
    stage.commit().await.expect("a commit")
}

async fn read(store: &dyn BlobStore, blob: &BlobInfo, range: Option<ByteRange>) -> Result<Vec<u8>, BlobError> {
    let mut stream = store.open(blob, range).await?;
    let mut read = Vec::new();
    while let Some(chunk) = stream.next().await {
        read.extend_from_slice(&chunk?);
    }
    Ok(read)
}

async fn what_was_committed_is_read_back_however_it_was_cut(store: &dyn BlobStore) {
    let whole = IO_CHUNK_BYTES;
    for length in [0, 1, whole - 1, whole, whole + 1, 2 * whole + 17] {
        let bytes = sample(length);
        for cut in [4093, whole, 3 * whole] {
            let blob = committed(store, &bytes, cut).await;
            assert_eq!(blob.size, length as u64, "the length of {length} bytes cut by {cut}");
            assert_eq!(blob.location.digest(), Digest::of(&bytes), "the digest of {length} bytes cut by {cut}");
            assert!(read(store, &blob, None).await.expect("a read") == bytes, "{length} bytes cut by {cut}");
            assert!(store.is_intact(&blob).await.expect("a look"), "{length} bytes are intact");
        }
    }
}

async fn a_range_gives_exactly_its_bytes(store: &dyn BlobStore) {
    let whole = IO_CHUNK_BYTES as u64;
    let bytes = sample(2 * IO_CHUNK_BYTES + 100);
    let blob = committed(store, &bytes, 100_000).await;
    let size = blob.size;
    let ranges = [
        (0, 0),
        (0, 1),
        (5, 5),
        (10, 90),
        (whole - 1, whole + 1),
        (0, size),
        (1, size),
        (size - 1, size),
        (size, size),
    ];
    for (start, end) in ranges {
        let part = read(store, &blob, Some(ByteRange { start, end })).await.expect("a read");
        assert!(part == bytes[start as usize..end as usize], "bytes {start}..{end}");
    }
    for (start, end) in [(0, size + 1), (size + 1, size + 1), (9, 8)] {
        let part = read(store, &blob, Some(ByteRange { start, end })).await;
        assert!(part.is_err(), "bytes {start}..{end} of {size} are an error, not a shorter answer");
    }
}

async fn a_stage_takes_its_limit_and_not_one_byte_more(store: &dyn BlobStore) {
    let mut exact = store.stage(1000).await.expect("a stage");
    exact.write(sample(999)).await.expect("below the limit");
    exact.write(sample(1)).await.expect("at the limit");
    assert_eq!(exact.commit().await.expect("a commit").size, 1000, "exactly the limit is a blob");
    for chunks in [&[1001][..], &[999, 2], &[1000, 1]] {
        let mut stage = store.stage(1000).await.expect("a stage");
        let mut last = Ok(());
        for length in chunks {
            last = stage.write(sample(*length)).await;
        }
        assert!(matches!(last, Err(BlobError::TooLarge { limit_bytes: 1000 })), "{chunks:?} bytes gave {last:?}");
        assert!(stage.commit().await.is_err(), "a stage that refused bytes has a hole and is never a blob");
    }
}

async fn a_reader_sees_what_was_written_and_disturbs_nothing(store: &dyn BlobStore) {
    let bytes = sample(IO_CHUNK_BYTES + 500);
    let part = IO_CHUNK_BYTES + 100;
    let mut stage = store.stage(PLENTY_BYTES).await.expect("a stage");
    stage.write(bytes.slice(..part)).await.expect("a write");
    let mut reader = stage.reader().await.expect("a reader");
    let mut seen = Vec::new();
    reader.read_to_end(&mut seen).expect("readable");
    assert!(seen == bytes[..part], "a reader sees everything written so far");
    reader.seek(SeekFrom::Start(3)).expect("seekable");
    stage.write(bytes.slice(part..)).await.expect("a write beside a reader");
    let blob = stage.commit().await.expect("a commit beside a reader");
    assert!(read(store, &blob, None).await.expect("a read") == bytes, "a reader moves no position of the writer");
    let mut after = [0; 10];
    reader.read_exact(&mut after).expect("readable after the commit");
    assert_eq!(after, bytes[3..13], "a reader keeps its own position");
}

async fn those_who_follow_read_what_was_flushed_also_after_the_end(store: &dyn BlobStore) {
    for is_committed in [true, false] {
        let bytes = sample(2 * IO_CHUNK_BYTES + 500);
        let mut stage = store.stage(PLENTY_BYTES).await.expect("a stage");
        stage.write(bytes.slice(..700)).await.expect("a write");
        let followed = stage.follow().await.expect("somebody to read along");
        stage.flush().await.expect("a flush");
        assert_eq!(stage.readable(), 700, "all that was written is readable after a flush");
        let part = async |start: u64, end: u64| {
            let mut stream = followed.part(ByteRange { start, end }).await.expect("a part");
            let mut read = Vec::new();
            while let Some(chunk) = stream.next().await {
                read.extend_from_slice(&chunk.expect("its bytes"));
            }
            read
        };
        assert!(part(0, 700).await == bytes[..700] && part(699, 700).await == bytes[699..700]);
        assert!(part(700, 700).await.is_empty());
        stage.write(bytes.slice(700..)).await.expect("a write");
        assert!(stage.readable() >= 700, "what was readable stays so");
        stage.flush().await.expect("a flush");
        if is_committed {
            let blob = stage.commit().await.expect("a commit beside a reader");
            assert!(store.delete(&blob.location).await.expect("a deletion"));
        } else {
            drop(stage);
        }
        assert!(part(1, bytes.len() as u64).await == bytes[1..], "committed: {is_committed}");
    }
}

async fn equal_bytes_committed_twice_lie_at_two_places(store: &dyn BlobStore) {
    let bytes = sample(100);
    let (first, second) = (committed(store, &bytes, 100).await, committed(store, &bytes, 7).await);
    assert_eq!(first.location.digest(), second.location.digest(), "equal bytes have one digest");
    assert_ne!(first.location, second.location, "each commit has its own place");
    assert!(store.delete(&first.location).await.expect("a deletion"), "the first deletion removes it");
    assert!(!store.delete(&first.location).await.expect("a deletion"), "repeating a deletion is harmless");
    assert!(read(store, &second, None).await.expect("a read") == bytes, "the other copy stays");
}

async fn a_dropped_stage_discards_its_own_bytes_only(store: &dyn BlobStore) {
    let bytes = sample(200);
    let blob = committed(store, &bytes, 200).await;
    let mut dropped = store.stage(PLENTY_BYTES).await.expect("a stage");
    dropped.write(bytes.clone()).await.expect("a write");
    drop(dropped);
    drop(store.stage(PLENTY_BYTES).await.expect("an unused stage"));
    assert!(read(store, &blob, None).await.expect("a read") == bytes, "a committed copy of the same bytes stays");
}

async fn what_is_missing_is_a_fault(store: &dyn BlobStore) {
    let bytes = sample(300);
    let deleted = committed(store, &bytes, 300).await;
    assert!(store.delete(&deleted.location).await.expect("a deletion"), "it was there");
    let never = BlobInfo { location: location(b"never written"), size: 13 };
    for blob in [deleted, never] {
        let opened = store.open(&blob, None).await.map(drop);
        assert!(matches!(opened, Err(BlobError::Missing(_))), "a missing blob is Missing, not {opened:?}");
        let opened = store.open(&blob, Some(ByteRange { start: 0, end: 0 })).await.map(drop);
        assert!(matches!(opened, Err(BlobError::Missing(_))), "also for no bytes of it: {opened:?}");
        assert!(!store.is_intact(&blob).await.expect("a look"), "a missing blob is not intact");
        assert!(!store.delete(&blob.location).await.expect("a deletion"), "there is nothing to delete");
    }
}

async fn another_length_is_a_fault(store: &dyn BlobStore) {
    let blob = committed(store, &sample(400), 400).await;
    for size in [0, 399, 401] {
        let recorded = BlobInfo { size, ..blob.clone() };
        let opened = store.open(&recorded, None).await.map(drop);
        assert!(matches!(opened, Err(BlobError::Corrupt(..))), "400 bytes recorded as {size} gave {opened:?}");
        assert!(!store.is_intact(&recorded).await.expect("a look"), "400 bytes recorded as {size} are not intact");
    }
}
