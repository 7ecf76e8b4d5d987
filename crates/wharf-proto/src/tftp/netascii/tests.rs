//! Text over the borders of blocks.

use proptest::{collection::vec, prelude::*};

use super::*;

/// The blocks of a text, each made anew from the checkpoint before it.
fn blocks(file: &[u8], block_size: usize) -> Vec<Vec<u8>> {
    let (mut encoder, mut offset, mut blocks) = (Encoder::default(), 0, Vec::new());
    loop {
        let checkpoint = (encoder, offset);
        let mut block = Vec::new();
        offset += encoder.encode(&file[offset..], &mut block, block_size);
        // A block that is sent again comes out the same.
        let (mut again, from) = checkpoint;
        let mut repeated = Vec::new();
        let taken = again.encode(&file[from..], &mut repeated, block_size);
        assert_eq!((from + taken, again, &repeated), (offset, encoder, &block));
        let is_last = block.len() < block_size;
        assert!(!is_last || (offset == file.len() && !encoder.pending()));
        blocks.push(block);
        if is_last {
            return blocks;
        }
    }
}

fn received(blocks: &[Vec<u8>]) -> Vec<u8> {
    let (mut decoder, mut file) = (Decoder::default(), Vec::new());
    for block in blocks {
        decoder.decode(block, &mut file);
    }
    decoder.finish(&mut file);
    file
}

fn stored(wire: &[u8]) -> Vec<u8> {
    received(&[wire.to_vec()])
}

#[test]
fn tft_40_line_ends_and_lone_cr_are_pairs_on_the_wire() {
    let mut wire = Vec::new();
    let taken = Encoder::default().encode(b"a\nb\rc\r\n\0", &mut wire, usize::MAX);
    assert_eq!(wire, b"a\r\nb\r\0c\r\0\r\n\0");
    assert_eq!(taken, 8);
    assert_eq!(stored(&wire), b"a\nb\rc\r\n\0");
}

#[test]
fn tft_40_a_cr_that_begins_no_pair_is_kept() {
    assert_eq!(stored(b"a\rb"), b"a\rb");
    assert_eq!(stored(b"\r\r\n"), b"\r\n");
    assert_eq!(stored(b"\r\r\r\0x"), b"\r\r\rx");
    assert_eq!(stored(b"a\nb\0"), b"a\nb\0");
}

#[test]
fn tft_40_a_cr_as_the_last_octet_is_kept() {
    assert_eq!(stored(b"a\r"), b"a\r");
    assert_eq!(received(&[b"a\r".to_vec(), Vec::new()]), b"a\r");
    assert_eq!(stored(b""), b"");
    let (mut decoder, mut file) = (Decoder::default(), Vec::new());
    decoder.decode(b"\r", &mut file);
    decoder.finish(&mut file);
    decoder.finish(&mut file);
    assert_eq!(file, b"\r");
}

#[test]
fn tft_40_a_pair_is_split_by_the_end_of_a_block() {
    let file = b"1234567\nx";
    assert_eq!(blocks(file, 8), [b"1234567\r".to_vec(), b"\nx".to_vec()]);
    // The held octet alone makes the last block; where it fills one, an empty block follows (TFT-31).
    assert_eq!(
        blocks(b"1234567\r", 8),
        [b"1234567\r".to_vec(), b"\0".to_vec()]
    );
    assert_eq!(
        blocks(b"\n\n\n\n", 8),
        [b"\r\n\r\n\r\n\r\n".to_vec(), Vec::new()]
    );
    let mut encoder = Encoder::default();
    let mut block = Vec::new();
    assert_eq!(encoder.encode(b"\n", &mut block, 1), 1);
    assert!(encoder.pending());
    assert_eq!(encoder.encode(b"x", &mut block, 1), 0);
    assert_eq!(encoder.encode(b"", &mut block, 2), 0);
    assert!(!encoder.pending());
    assert_eq!(block, b"\r\n");
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    vec(proptest::sample::select(&b"\r\r\n\n\0ab"[..]), 0..200)
}

proptest! {
    #[test]
    fn what_is_sent_is_received(file in prop_oneof![text(), vec(any::<u8>(), 0..200)], block_size in 1_usize..40) {
        let blocks = blocks(&file, block_size);
        prop_assert_eq!(received(&blocks), file);
    }

    #[test]
    fn block_size_changes_nothing_on_the_wire(file in text(), block_size in 1_usize..40) {
        let plain: Vec<u8> = file.iter().flat_map(|octet| match octet {
            b'\n' => vec![b'\r', b'\n'],
            b'\r' => vec![b'\r', 0],
            other => vec![*other],
        }).collect();
        prop_assert_eq!(blocks(&file, block_size).concat(), plain);
    }

    #[test]
    fn borders_change_nothing_of_what_is_stored(wire in text(), at in 0_usize..200) {
        let (before, after) = wire.split_at(at.min(wire.len()));
        prop_assert_eq!(received(&[before.to_vec(), after.to_vec()]), stored(&wire));
    }
}
