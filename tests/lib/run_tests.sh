#!/bin/sh
# Run test programs one after the other; libcheck's summary line of each, its
# failures, and a sum at the end. Exit 1 when any failed.
set -u
passed=0 failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for t in "$@"; do
    start=$(date +%s)
    "$t" >"$out" 2>&1
    code=$?
    seconds=$(($(date +%s) - start))
    summary=$(grep -E '^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+' "$out" | tail -1)
    if [ "$code" = 0 ] && [ -n "$summary" ]; then
        passed=$((passed + 1))
        grep -E '^SKIPPED' "$out"
    else
        failed=$((failed + 1))
        cat "$out"
        echo "FAILED: $t (exit $code)"
    fi
    echo "${t#build/} (${seconds} s): $summary"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
