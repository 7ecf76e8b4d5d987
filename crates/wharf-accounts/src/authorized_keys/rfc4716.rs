//! Public keys in the form of RFC 4716 (`---- BEGIN SSH2 PUBLIC KEY ----`).
//!
//! Headers go before the key; only `Comment` means something, the rest is ignored as section 3.3 has
//! it. A line that ends in a backslash goes on in the next one. Lines may be longer than the 72 bytes of
//! the RFC; the whole block may not be longer than a line of OpenSSH's form.

use ssh_key::PublicKey;

use super::{Failed, KeyError, MAX_LINE, Parsed, finish, readable};

/// The line that begins a block.
pub(super) const BEGIN: &[u8] = b"---- BEGIN SSH2 PUBLIC KEY ----";
const END: &[u8] = b"---- END SSH2 PUBLIC KEY ----";

/// Reads the block whose first line was read from `line` on, up to and with its last line.
pub(super) fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>, line: usize) -> Parsed {
    let mut comment = String::new();
    let mut header: Option<Vec<u8>> = None;
    let mut base64 = Vec::new();
    let mut length = 0;
    let mut is_ended = false;
    for content in lines {
        let content = content.trim_ascii();
        if content == END {
            is_ended = true;
            break;
        }
        // An unfinished block must not swallow the next one whole.
        length += content.len();
        if length > MAX_LINE {
            return Err(Failed::without_key(KeyError::TooLong));
        }
        let is_header = header.is_some() || (base64.is_empty() && content.contains(&b':'));
        if !is_header {
            base64.extend_from_slice(content);
            continue;
        }
        let mut text = header.take().unwrap_or_default();
        match content.strip_suffix(b"\\") {
            Some(part) => {
                text.extend_from_slice(part);
                header = Some(text);
            }
            None => {
                text.extend_from_slice(content);
                if let Some(found) = comment_of(&text) {
                    comment = found;
                }
            }
        }
    }
    if !is_ended {
        return Err(Failed::without_key(KeyError::Block("its end is missing")));
    }
    let blob = data_encoding::BASE64
        .decode(&base64)
        .map_err(|_| Failed::without_key(KeyError::Block("its base64 is not right")))?;
    let key = PublicKey::from_bytes(&blob)
        .map_err(|error| Failed::without_key(KeyError::Key(error.to_string())))?;
    if key.key_data().is_certificate() {
        return Err(Failed::without_key(KeyError::Certificate));
    }
    finish(key.key_data().clone(), b"", comment, line)
}

/// The value of the header `Comment`, without the quotes that section 3.3.2 allows.
fn comment_of(header: &[u8]) -> Option<String> {
    let at = header.iter().position(|octet| *octet == b':')?;
    let (tag, value) = header.split_at_checked(at)?;
    if !tag.eq_ignore_ascii_case(b"comment") {
        return None;
    }
    let value = readable(value.strip_prefix(b":")?);
    let quoted = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    Some(quoted.unwrap_or(&value).to_owned())
}
