//! Tests of the server machine.
