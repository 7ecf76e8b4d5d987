//! Text as the network has it (TYPE A), into files of this system.

use wharf_transfer::Transform;

/// Line ends of the wire become those of files here.
#[derive(Default)]
pub(in crate::transfer) struct FromWire(wharf_proto::ftp::ascii::Decoder);

impl Transform for FromWire {
    fn apply(&mut self, input: &[u8], output: &mut Vec<u8>) {
        self.0.decode(input, output);
    }

    fn finish(&mut self, output: &mut Vec<u8>) {
        self.0.finish(output);
    }
}
