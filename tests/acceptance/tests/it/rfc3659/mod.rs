//! RFC 3659: SIZE, MDTM, REST STREAM, TVFS, MLST and MLSD.

mod facts;
mod restart;
mod size_and_time;
