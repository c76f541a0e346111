#!/bin/sh
# Fuzzes every target for SECONDS_EACH seconds (60 unless told): ./fuzz/run.sh
#
# Needs: rustup toolchain install nightly; cargo install cargo-fuzz
set -eu
cd "$(dirname "$0")"
cargo +nightly run --release --quiet --bin seeds
for target in proof model graph record; do
    cargo +nightly fuzz run --fuzz-dir . "$target" -- \
        -max_total_time="${SECONDS_EACH:-60}" -max_len=65536 -timeout=20 -rss_limit_mb=4096 -print_final_stats=1
done
