//! Runs of blocks out of a file, whoever has read it.

use std::path::Path;

use wharf_vfs::{OpenMode, VirtualPath, Volume as _, volumes::local::LocalVolume};

use super::*;

/// Long after anything that a test writes.
const LATER: u64 = u64::MAX / 2;

async fn open(directory: &Path) -> FileRef {
    let volume = LocalVolume::open(directory).unwrap();
    let path = VirtualPath::root().join_name(b"boot").unwrap();
    volume.open(&path, OpenMode::Read).await.unwrap()
}

#[expect(clippy::disallowed_methods, reason = "writes the file that is read")]
fn directory_with(content: &[u8]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("boot"), content).unwrap();
    directory
}

fn pattern(octets: usize) -> Vec<u8> {
    (0..octets)
        .map(|at| (at * 7 + at / 251).to_le_bytes()[0])
        .collect()
}

/// The blocks `first` to `last`, as a download would send them.
async fn blocks(source: &mut Source, contents: &Contents, first: u64, last: u64) -> Vec<u8> {
    let mut all = Vec::new();
    let mut next = first;
    while next <= last {
        let mut buffer = Vec::new();
        let run = source.run(contents, next, last + 1 - next, &mut buffer);
        let waited = match run.unwrap() {
            Run::Here(octets) => {
                assert!(octets.len() <= RUN);
                all.extend_from_slice(octets);
                next += octets.len().div_ceil(source.block_size).max(1) as u64;
                continue;
            }
            Run::Kept => continue,
            Run::NoRoom => {
                source.content = None;
                continue;
            }
            Run::Wait {
                offset,
                length,
                chunk,
            } => (offset, length, chunk),
        };
        let (offset, length, chunk) = waited;
        let mut octets = source
            .file
            .read_at(Vec::with_capacity(length), offset)
            .await
            .unwrap();
        octets.truncate(length);
        match (chunk, &source.content) {
            (Some(number), Some(content)) => assert!(contents.keep(content, number, &octets)),
            _ => {
                all.extend_from_slice(&octets);
                next += octets.len().div_ceil(source.block_size).max(1) as u64;
            }
        }
    }
    all
}

#[tokio::test]
async fn tft_43_runs_are_the_file_whoever_has_read_it() {
    let content = pattern(3 * RUN + 700);
    let directory = directory_with(&content);
    for limit in [0, 2 * RUN, 64 * RUN] {
        for block_size in [8, 512, 1428, 65_464] {
            let contents = Contents::new(limit);
            let file = open(directory.path()).await;
            let size = content.len() as u64;
            let make = |file| Source::new(file, size, block_size, &contents, LATER);
            let (mut one, mut other) = (make(Arc::clone(&file)), make(file));
            assert_eq!(one.content.is_some(), limit > content.len());
            let last = one.last();
            let step = 64;
            let mut next = 1;
            let mut got = Vec::new();
            while next <= last {
                let stop = last.min(next + step - 1);
                got.extend(blocks(&mut one, &contents, next, stop).await);
                next = stop + 1;
            }
            assert!(got == content, "{limit} {block_size}");
            let got = blocks(&mut other, &contents, 2, last).await;
            assert!(got == content[block_size.into()..], "{limit} {block_size}");
        }
    }
}

#[tokio::test]
async fn tft_31_the_block_behind_a_whole_one_is_empty() {
    let directory = directory_with(&pattern(1024));
    let contents = Contents::new(0);
    let file = open(directory.path()).await;
    let mut source = Source::new(file, 1024, 512, &contents, LATER);
    assert_eq!(source.last(), 3);
    assert!(blocks(&mut source, &contents, 3, 3).await.is_empty());
    assert_eq!(
        blocks(&mut source, &contents, 2, 3).await,
        pattern(1024)[512..]
    );
}

#[tokio::test]
async fn tft_41_what_is_not_there_any_more_is_no_block() {
    let directory = directory_with(&pattern(1000));
    let contents = Contents::new(0);
    let file = open(directory.path()).await;
    let source = Source::new(Arc::clone(&file), 3000, 512, &contents, LATER);
    let mut buffer = Vec::new();
    let run = source.run(&contents, 1, 6, &mut buffer).unwrap();
    assert!(matches!(run, Run::Here(octets) if *octets == pattern(1000)[..512]));
    let mut buffer = Vec::new();
    let run = source.run(&contents, 2, 6, &mut buffer);
    assert!(matches!(run, Err(Halt::Shrunk)), "{run:?}");
}
