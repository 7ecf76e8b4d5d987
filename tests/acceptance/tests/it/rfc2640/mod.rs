//! RFC 2640: internationalisation.

mod names;
