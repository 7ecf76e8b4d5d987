//! Behaviours beyond the RFCs: exact words, the contract for bytes, the walls of the view.

mod admission;
mod atomic_uploads;
mod read_only;
mod texts;
mod tls;
mod view;
