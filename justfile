# The table of contents. Every recipe is one line that also works without just.

# Types and lints, as CI sees them.
check:
    cargo clippy --workspace --all-targets -- -D warnings

# Unit tests of the product.
test:
    cargo test

# Black-box, interop and architecture tests against the binary; root for the reference servers.
it:
    cargo build --workspace --all-targets && cargo test -p wharf-acceptance-tests -p wharf-interop-tests -p wharf-architecture-tests

# Ten seconds of every fuzz target.
fuzz-smoke:
    scripts/fuzz-smoke

# The documentation of all crates.
doc:
    cargo doc --workspace --no-deps --open

# Licences, sources, banned crates, advisories.
deny:
    cargo deny check

# Stock rustfmt.
fmt:
    cargo fmt --all

# Side by side with other servers, as root; see bench/README.md.
bench *args: release
    WHARF={{justfile_directory()}}/target/release/wharf bench/bench.py {{args}}

# The map against the code.
arch:
    cargo test -p wharf-architecture-tests

# The binary that is shipped.
release:
    cargo build --release --locked -p wharf
