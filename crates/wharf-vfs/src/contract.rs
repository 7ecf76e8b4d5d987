//! What every volume must do, as tests that every volume and every layer runs.
//!
//! [`volume_contract!`](crate::volume_contract) makes one test of each rule. A rule gets an empty
//! volume and may leave anything behind. What a volume says that it cannot do
//! ([`Capabilities`](crate::Capabilities)) is not asked of it.

#![expect(clippy::panic, reason = "a broken rule ends the test that runs it")]

pub mod attributes;
pub mod directories;
pub mod files;
pub mod hard_links;
pub mod links;
pub mod pieces;
pub mod read_only;
pub mod renames;

use std::fmt::Debug;

use crate::{EntryBatch, ErrorKind, FileRef, OpenMode, Result, VirtualPath, Volume};

/// One test per rule of the contract. The argument is an expression for a future of
/// `(Arc<dyn Volume>, guard)`: a fresh, empty volume and whatever must outlive it.
///
/// The crate that uses it needs tokio with the features `macros` and `rt`.
#[macro_export]
macro_rules! volume_contract {
    ($fresh:expr) => {
        $crate::volume_contract! { @rules $fresh;
            files: a_missing_file_is_not_found, a_file_reads_back_as_written, reading_stops_at_the_end,
                create_new_refuses_what_exists, update_refuses_what_is_missing,
                update_or_create_keeps_what_exists, a_directory_is_no_file,
                a_gap_reads_as_zeros, a_file_is_cut_and_extended, an_open_file_outlives_its_name,
                a_file_opened_for_reading_refuses_writes, a_missing_parent_is_not_found,
                a_file_is_no_parent, removing_takes_the_name_away;
            directories: the_top_is_a_directory, a_listing_tells_names_and_kinds,
                a_long_listing_comes_in_bounded_batches, a_missing_directory_is_not_found,
                a_file_is_not_listed, making_refuses_what_exists, making_makes_one_level,
                removing_refuses_what_is_not_empty, files_and_directories_are_removed_differently,
                the_top_stays;
            renames: a_file_gets_another_name, a_file_replaces_a_file_if_it_may,
                nothing_is_replaced_if_it_may_not, a_directory_moves_with_its_content,
                a_directory_replaces_nothing, a_file_replaces_no_directory,
                a_directory_does_not_move_into_itself, a_missing_source_is_not_found,
                a_missing_target_directory_is_not_found, a_name_may_replace_itself;
            links: a_link_is_followed_or_looked_at, a_link_leads_through_directories,
                a_dangling_link_leads_nowhere, a_loop_of_links_leads_nowhere,
                removing_a_link_keeps_its_target, renaming_a_link_moves_the_link,
                a_listing_tells_link_and_target, a_new_file_does_not_follow_a_link,
                a_link_replaces_nothing, a_file_is_no_link, a_link_reaches_the_top,
                a_links_text_is_stored_as_given, a_links_text_does_not_lead_out;
            hard_links: a_second_name_is_the_same_file, a_file_outlives_its_first_name,
                a_hard_link_replaces_nothing, only_a_regular_file_gets_a_second_name,
                what_has_no_hard_links_says_so;
            pieces: what_is_had_at_once_is_appended, what_grows_is_read_to_its_new_end,
                what_is_written_at_once_is_there, a_range_is_copied, a_copy_into_itself_ends,
                a_file_for_reading_takes_no_copy;
            attributes: modes_are_kept, times_are_kept, identity_follows_the_object,
                unnamed_attributes_stay,
                a_link_has_its_own_times_and_no_mode, an_open_file_takes_attributes, attributes_of_nothing_are_not_found, space_is_told;
        }
    };
    (@rules $fresh:expr; $($module:ident: $($rule:ident),+;)+) => {
        $($(
            #[tokio::test]
            async fn $rule() {
                let (volume, _guard) = $fresh.await;
                $crate::contract::$module::$rule(&*volume).await;
            }
        )+)+
    };
}

/// A path from its text.
pub fn path(text: &str) -> VirtualPath {
    must(VirtualPath::parse(&VirtualPath::root(), text.as_bytes()))
}

/// The value, or the end of the test.
#[track_caller]
pub fn must<T, E: Debug>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("this must work: {error:?}"),
    }
}

/// The kind of failure, or the end of the test.
#[track_caller]
pub fn refused<T>(result: Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("this must be refused"),
        Err(error) => error.kind,
    }
}

/// Makes a file with this content, or replaces the content of one.
pub async fn put(volume: &dyn Volume, text: &str, content: &[u8]) -> FileRef {
    let file = must(
        volume
            .open(&path(text), OpenMode::UpdateOrCreate { mode: 0o644 })
            .await,
    );
    must(file.set_size(0).await);
    must(file.write_at(content.to_vec(), 0).await);
    file
}

/// The content of an open file.
pub async fn content_of(file: &FileRef) -> Vec<u8> {
    let mut content = Vec::new();
    let mut buffer = Vec::with_capacity(4096);
    loop {
        buffer = must(file.read_at(buffer, content.len() as u64).await);
        if buffer.is_empty() {
            return content;
        }
        content.extend_from_slice(&buffer);
    }
}

/// The content of a file.
pub async fn fetch(volume: &dyn Volume, text: &str) -> Vec<u8> {
    content_of(&must(volume.open(&path(text), OpenMode::Read).await)).await
}

/// Makes a directory.
pub async fn make(volume: &dyn Volume, text: &str) {
    must(volume.create_directory(&path(text), 0o755).await);
}

/// The names in a directory, sorted.
pub async fn names(volume: &dyn Volume, text: &str) -> Vec<String> {
    let mut reader = must(volume.read_directory(&path(text)).await);
    let mut names = Vec::new();
    let mut batch = EntryBatch::new();
    loop {
        batch = must(reader.next_batch(batch).await);
        if batch.is_empty() {
            names.sort();
            return names;
        }
        names.extend(
            batch
                .iter()
                .map(|entry| String::from_utf8_lossy(entry.name).into_owned()),
        );
    }
}
