//! Media types by the endings of names, for the `media-type` fact (RFC 3659 7.5.5; DAT-96).
//!
//! A guess from the name alone: nobody opens a file to write a listing. It must not grow into a
//! registry; what is not common has no media type.

/// The media type that a name's ending stands for (DAT-96); `None` when it is not a common one.
pub fn media_type_of(name: &[u8]) -> Option<&'static [u8]> {
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    let ending = name.get(dot + 1..)?;
    MEDIA_TYPES
        .iter()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(ending))
        .map(|(_, media_type)| media_type.as_bytes())
}

/// Endings and their registered media types.
const MEDIA_TYPES: &[(&str, &str)] = &[
    ("txt", "text/plain"),
    ("log", "text/plain"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("css", "text/css"),
    ("js", "text/javascript"),
    ("md", "text/markdown"),
    ("xml", "application/xml"),
    ("json", "application/json"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
    ("zst", "application/zstd"),
    ("tar", "application/x-tar"),
    ("7z", "application/x-7z-compressed"),
    ("rtf", "application/rtf"),
    ("doc", "application/msword"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("bmp", "image/bmp"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("svg", "image/svg+xml"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("webm", "video/webm"),
    ("mkv", "video/matroska"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_go_by_the_ending() {
        assert_eq!(media_type_of(b"a.b.PNG"), Some(&b"image/png"[..]));
        assert_eq!(media_type_of(b"png"), None);
    }
}
