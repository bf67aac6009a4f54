#!/usr/bin/env bash
# Measures the exchange of frames, beside floors measured in the same run. Arguments are those of `mcm bench`.
set -euo pipefail
cd "$(dirname "$0")/.."

exec "${CARGO:-cargo}" run --release --quiet -p mcm-cli -- bench "$@"
