#!/usr/bin/env bash
# The alerts and the scrape configuration, judged by Prometheus's own tool: promtool of this machine, or else of Debian's package, which is
# unpacked and not installed, because an installed one runs a server.
set -euo pipefail
cd "$(dirname "$0")/.."

promtool=$(command -v promtool || true)
if [ -z "$promtool" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    (cd "$work" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" prometheus && dpkg -x prometheus_*.deb .)
    promtool=$work/usr/bin/promtool
fi
"$promtool" check config --syntax-only packaging/observability/prometheus.yml
"$promtool" check rules packaging/observability/alerts.yml
"$promtool" test rules tests/observability/alerts_test.yml
