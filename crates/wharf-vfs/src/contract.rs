//! What every volume must do, as tests that every volume and layer runs.
