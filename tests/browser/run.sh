#!/bin/sh
# The page in a real browser against a real parzend. PARZEN_BIN: where the
# programs are (default build/bin); screenshots go to build/screenshots.
set -u
cd "$(dirname "$0")/../.."
CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
export CHROMIUM
if [ ! -x "$CHROMIUM" ]; then
    echo "tests/browser: $CHROMIUM is not there; 'make test' installs it on Debian, elsewhere set CHROMIUM" >&2
    exit 1
fi
if [ ! -x "${PARZEN_BIN:-build/bin}/parzend" ]; then
    echo "tests/browser: ${PARZEN_BIN:-build/bin}/parzend is not there; run make first" >&2
    exit 1
fi
mkdir -p build/npm-test build/screenshots
if ! cmp -s web/package-lock.json build/npm-test/package-lock.json ||
    [ ! -d build/npm-test/node_modules/playwright-core ]; then
    cp web/package.json web/package-lock.json build/npm-test/
    (cd build/npm-test && npm ci --ignore-scripts --no-audit --no-fund) || exit 1
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
node --test tests/browser/*.test.mjs >"$out" 2>&1
code=$?
[ "$code" = 0 ] || cat "$out"
# node 20 marks its closing lines with an i, node 18 with a #.
grep -E '^(# |ℹ )(tests|pass|fail|cancelled|skipped|duration_ms) ' "$out"
exit "$code"
