//! The machines against each other.
