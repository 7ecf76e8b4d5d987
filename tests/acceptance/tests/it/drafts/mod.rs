//! Internet drafts and customs that clients rely on.

mod hash;
mod times;
