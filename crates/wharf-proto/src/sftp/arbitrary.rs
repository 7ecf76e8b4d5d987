//! Arbitrary requests, for the properties of the codecs and both machines.

use proptest::{collection::vec, prelude::*};

use super::{
    Attributes, Extended, OpenFlags, Request,
    extension::{Check, Ids, Md5Range, Vendor},
};

/// What a request is made of.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    which: u8,
    one: Vec<u8>,
    two: Vec<u8>,
    numbers: (u64, u64, u32),
    attributes: Attributes,
}

/// Any attributes.
pub(super) fn attributes() -> impl Strategy<Value = Attributes> {
    (any::<Option<u64>>(), any::<[Option<(u32, u32)>; 3]>()).prop_map(
        |(size, [owner, permissions, times])| Attributes {
            size,
            owner,
            permissions: permissions.map(|(permissions, _)| permissions),
            times,
        },
    )
}

/// Any request; few handles and paths, so that they meet.
pub(super) fn parts() -> impl Strategy<Value = Parts> {
    let string = || prop_oneof![3 => vec(b'a'..=b'd', 0..3), 1 => vec(any::<u8>(), 0..40)];
    let number = || prop_oneof![3 => 0..20_u64, 1 => any::<u64>()];
    (
        0..37_u8,
        string(),
        string(),
        (number(), number(), any::<u32>()),
        attributes(),
    )
        .prop_map(|(which, one, two, numbers, attributes)| Parts {
            which,
            one,
            two,
            numbers,
            attributes,
        })
}

impl Parts {
    /// The request.
    pub(super) fn request(&self) -> Request<'_> {
        let (one, two) = (&self.one[..], &self.two[..]);
        let (from, to, small) = self.numbers;
        let attributes = self.attributes;
        let check = Check {
            algorithms: two,
            offset: from,
            length: to,
            block: small,
        };
        let range = Md5Range {
            offset: from,
            length: to,
            quick_check: two,
        };
        let ids = |octets: &'static [u8]| Ids::new(octets).unwrap();
        Request::Extended(match self.which {
            0 => {
                return Request::Open {
                    path: one,
                    flags: OpenFlags(small),
                    attributes,
                };
            }
            1 => return Request::Close { handle: one },
            2 => {
                return Request::Read {
                    handle: one,
                    offset: from,
                    length: small,
                };
            }
            3 => {
                return Request::Write {
                    handle: one,
                    offset: from,
                    data: two,
                };
            }
            4 => return Request::LStat { path: one },
            5 => return Request::FStat { handle: one },
            6 => {
                return Request::SetStat {
                    path: one,
                    attributes,
                };
            }
            7 => {
                return Request::FSetStat {
                    handle: one,
                    attributes,
                };
            }
            8 => return Request::OpenDirectory { path: one },
            9 => return Request::ReadDirectory { handle: one },
            10 => return Request::Remove { path: one },
            11 => {
                return Request::MakeDirectory {
                    path: one,
                    attributes,
                };
            }
            12 => return Request::RemoveDirectory { path: one },
            13 => return Request::RealPath { path: one },
            14 => return Request::Stat { path: one },
            15 => return Request::Rename { from: one, to: two },
            16 => return Request::ReadLink { path: one },
            17 => {
                return Request::Symlink {
                    target: one,
                    link: two,
                };
            }
            18 => Extended::PosixRename { from: one, to: two },
            19 => Extended::StatVfs { path: one },
            20 => Extended::FStatVfs { handle: one },
            21 => Extended::HardLink {
                existing: one,
                link: two,
            },
            22 => Extended::FSync { handle: one },
            23 => Extended::LSetStat {
                path: one,
                attributes,
            },
            24 => Extended::Limits,
            25 => Extended::ExpandPath { path: one },
            26 => Extended::CopyData {
                source: one,
                source_offset: from,
                length: to,
                target: two,
                target_offset: small.into(),
            },
            27 => Extended::HomeDirectory { user: one },
            28 => Extended::UsersGroupsById {
                users: ids(&[0, 0, 0, 1, 255, 255, 255, 255]),
                groups: ids(&[]),
            },
            29 => Extended::CheckFileHandle { handle: one, check },
            30 => Extended::CheckFileName { path: one, check },
            31 => Extended::Md5Hash { path: one, range },
            32 => Extended::Md5HashHandle { handle: one, range },
            33 => Extended::SpaceAvailable { path: one },
            34 => Extended::CopyFile {
                source: one,
                target: two,
                overwrite: small % 2 == 0,
            },
            35 => Extended::VendorId(Vendor {
                vendor: one,
                product: two,
                version: b"1",
                build: from,
            }),
            _ => Extended::Unknown { name: b"text-seek" },
        })
    }
}
