#!/bin/sh
# Run test programs, JOBS at a time (default: one for each processor);
# libcheck's summary line of each, its failures, and a sum at the end. Exit 1
# when any failed.
set -u

# --one PROGRAM: run it, print its report in one piece, note how it ended.
if [ "$1" = --one ]; then
    t=$2
    out=$(mktemp "$REPORTS/out.XXXXXX")
    start=$(date +%s)
    "$t" >"$out" 2>&1
    code=$?
    seconds=$(($(date +%s) - start))
    summary=$(grep -E '^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+' "$out" | tail -1)
    {
        if [ "$code" = 0 ] && [ -n "$summary" ]; then
            echo "$t" >>"$REPORTS/passed"
            grep -E '^SKIPPED' "$out"
        else
            cat "$out"
            echo "FAILED: $t (exit $code)"
        fi
        echo "${t#build/} (${seconds} s): $summary"
    } >"$out.report"
    flock "$REPORTS/printing" cat "$out.report"
    rm -f "$out" "$out.report"
    exit 0
fi

REPORTS=$(mktemp -d)
export REPORTS
trap 'rm -rf "$REPORTS"' EXIT
: >"$REPORTS/passed"
printf '%s\n' "$@" | xargs -P "${JOBS:-$(nproc)}" -n 1 "$0" --one
passed=$(wc -l <"$REPORTS/passed")
echo "$passed passed, $(($# - passed)) failed"
[ "$passed" = $# ]
