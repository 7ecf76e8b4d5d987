use super::*;

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Server>() <= 512, "{}", size_of::<Server>());
}
