//! How much room there is: statvfs, fstatvfs (SFT-51) and space-available (SFT-62).

use std::sync::Arc;

use wharf_proto::sftp::response::{FileSystem, SpaceAvailable};
use wharf_vfs::{Links, VirtualPath};

use super::{
    context::{Result, Work},
    outcome::Outcome,
};

/// statvfs, fstatvfs.
pub(super) async fn file_system(work: Arc<Work>, path: VirtualPath) -> Result<Outcome> {
    work.publish(&path).await;
    let view = work.view();
    view.metadata(&path, Links::Follow).await?;
    let space = view.space(&path).await?;
    let block = u64::from(space.block_size.max(1));
    let free = space.free / block;
    // Without a count of objects there is no limit to tell; zero is what others say then.
    let files_free = space.files_free.unwrap_or(0);
    let read_only = if view.rights(&path).can_change() {
        0
    } else {
        FileSystem::READ_ONLY
    };
    Ok(Outcome::FileSystem(FileSystem {
        block_size: block,
        fragment_size: block,
        blocks: space.total / block,
        blocks_free: free,
        blocks_available: free,
        files: space.files.unwrap_or(0),
        files_free,
        files_available: files_free,
        id: identity(view.volume_id(&path)),
        flags: FileSystem::NO_SET_UID | read_only,
        longest_name: VirtualPath::MAX_COMPONENT as u64,
    }))
}

/// space-available.
pub(super) async fn available(work: Arc<Work>, path: VirtualPath) -> Result<Outcome> {
    work.publish(&path).await;
    let view = work.view();
    view.metadata(&path, Links::Follow).await?;
    let space = view.space(&path).await?;
    Ok(Outcome::Space(SpaceAvailable {
        device: space.total,
        unused: space.free,
        user: space.total,
        unused_by_user: space.free,
        unit: space.block_size,
    }))
}

/// A number for a volume, the same at all times (FNV-1a).
fn identity(volume: &str) -> u64 {
    volume.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    })
}
