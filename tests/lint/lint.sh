#!/bin/sh
# The rules that matter, checked: layers, foreign headers behind their doors,
# headers that compile alone, banned calls, format. Prints every violation as
# FILE:LINE: rule; exit 1 when there is one.
set -u
cd "$(dirname "$0")/../.."
CC=${CC:-gcc}
bad=$(mktemp)
trap 'rm -f "$bad"' EXIT

sources=$(git ls-files --cached --others --exclude-standard '*.c' '*.h' '*.inc')
code=$(printf '%s\n' $sources | grep -E '^(core|daemon|worker)/')

# --- foreign headers: HEADER  FILES THAT MAY (regex) -------------------------
while read -r header allowed; do
    [ -n "$header" ] || continue
    for f in $sources; do
        printf '%s\n' "$f" | grep -qE "$allowed" && continue
        grep -nE "#include <$header>" "$f" | sed "s|^|$f:|; s|\$| : only behind its door|"
    done
done >>"$bad" <<'RULES'
sqlite3\.h            ^(daemon/store|tests/)
uv\.h                 ^(core/wire/channel\.c|daemon/(analysis\.c|backup\.c|daemon\.c|daemon_priv\.h|perform\.c|pool(_strays)?\.c|main\.c|http/)|worker/(main|session)\.c|tests/)
microhttpd\.h         ^daemon/http/
cblas\.h              ^core/nn/ops
cjson/cJSON\.h        ^core/base/json\.c$
curl/curl\.h          ^(core/data/fetch\.c|daemon/cli/client\.c|tests/)
pcre2\.h              ^core/text/pretokenize\.c$
openssl/.*            ^core/base/hash\.c$
check\.h              ^tests/
RULES

# --- layers: FOLDER OR FILES (regex)  INCLUDES THAT MAY (regex) ---------------
while read -r who may; do
    [ -n "$who" ] || continue
    for f in $(printf '%s\n' $code | grep -E "$who"); do
        grep -nE '^#include "' "$f" | grep -vE "\"($may)" |
            sed "s|^|$f:|; s|\$| : this arrow points up or sideways|"
    done
done >>"$bad" <<'RULES'
^core/base/       core/base/
^core/spec/       core/(base|spec)/
^core/wire/       core/(base|spec|wire)/
^core/data/       core/(base|spec|data)/
^core/text/       core/(base|spec|text)/
^core/nn/         core/(base|spec|nn)/
^core/train/      core/
^worker/          (core|worker)/
^daemon/cli/      (core|daemon/cli)/
^daemon/(study|sched[a-z_]*|views(_[a-z]+)?|mirror[a-z_]*|action|event|digest|history(_column)?|replay)\.[ch]$  (core/(base|spec)/|daemon/(study|sched[a-z_]*|views(_[a-z]+)?|mirror[a-z_]*|action|event|digest|history(_column)?|replay)\.h|daemon/search/)
^daemon/search/   (core/(base|spec)/|daemon/(search/|history\.h|study\.h))
^daemon/store     (core/(base|spec)/|daemon/(store|action|mirror|study|digest|history|replay|search/sampler|wall))
^daemon/pool      (core/(base|spec|wire)/|daemon/(pool|obituary))
^daemon/http/     (core/(base|spec)/|daemon/http/)
^daemon/(daemon(_priv)?|recover|perform|sweep|check|obituary)\.[ch]$  (core/(base|spec|wire)/|daemon/(daemon(_priv)?|heartbeat|ledger|inbox|perform|sweep|check|obituary|action|event|mirror|study|sched|store|pool|analysis|backup|wall)\.h)
^daemon/(offline|look)\.[ch]$  (core/(base|spec)/|daemon/(offline|look|mirror|replay|store|study|views|http/url)\.h|daemon/search/)
^daemon/analysis\.[ch]$  (core/base/|daemon/(analysis|mirror|study|history)\.h|daemon/search/)
^daemon/inbox\.[ch]$  (core/base/|daemon/(inbox|event|study)\.h)
^daemon/ledger\.[ch]$  (core/base/|daemon/(ledger|inbox|action|event|mirror|study|sched)\.h)
^daemon/heartbeat\.[ch]$  (core/base/|daemon/heartbeat\.h)
^daemon/backup\.[ch]$  (core/base/|daemon/(backup|store|wall)\.h)
^daemon/wall\.[ch]$  daemon/wall\.h
^daemon/api       (core/(base|spec)/|daemon/(api(_priv)?|daemon|action|event|mirror|study|views|wall|http/server)\.h)
RULES

# --- banned calls -----------------------------------------------------------------
# Unbounded copies, hidden chance, shells, locale.
for f in $code; do
    grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|rand|srand|random|system|popen|setlocale|atoi|atof|alloca|tmpnam|mktemp)\(' "$f" |
        grep -vE '^[0-9]+: *(\*|/\*)' | sed "s|^|$f:|; s|\$| : banned call|"
done >>"$bad"
# The pure floor: no clock, no I/O, nothing from outside.
pure=$(printf '%s\n' $code | grep -E '^daemon/(search/|(study|sched[a-z_]*|views(_[a-z]+)?|mirror[a-z_]*|action|event|digest|history(_column)?|replay)\.[ch]$)')
grep -nE '\b(time|clock_gettime|gettimeofday|uv_hrtime|uv_now|getrandom|getenv|open|fopen|fprintf|LOG_[A-Z]+)\(' $pure |
    sed 's|$| : the floor of decisions is pure|' >>"$bad"
grep -nE '\b(TODO|FIXME|XXX|HACK)\b' $code | sed 's|$| : unfinished|' >>"$bad"
grep -nE 'innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function|document\.write' web/*.html web/*.js 2>/dev/null |
    sed 's|$| : the page builds text nodes only|' >>"$bad"
# SQL is never put together from values.
grep -nE 'sqlite3_(prepare|exec)[a-z0-9_]*\([^"]*(printf|buf\.data)' daemon/store*.c 2>/dev/null |
    sed 's|$| : SQL from parts|' >>"$bad"

# --- sizes ------------------------------------------------------------------------
for f in $sources; do
    n=$(wc -l <"$f")
    [ "$n" -le 600 ] || echo "$f:$n: longer than 600 lines"
done >>"$bad"
for f in $code; do
    awk -v f="$f" '/^\{/ { begin = NR } /^\}/ && begin { if (NR - begin > 51)
        print f ":" begin ": a function of more than 50 lines"; begin = 0 }' "$f"
done >>"$bad"

# --- headers compile alone ------------------------------------------------------------
for f in $(printf '%s\n' $sources | grep '\.h$'); do
    printf '#include "%s"\n' "$f" |
        $CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -iquote . -fsyntax-only -x c - 2>/dev/null ||
        echo "$f:1: does not compile alone"
done >>"$bad"

# --- format -----------------------------------------------------------------------------
# Another version has other opinions.
CLANG_FORMAT=$(command -v clang-format-14 || command -v clang-format)
if "${CLANG_FORMAT:-false}" --version 2>/dev/null | grep -q 'version 14'; then
    "$CLANG_FORMAT" --dry-run --Werror $sources 2>&1 | grep -E 'error:' | sed 's|error: code should be clang-formatted.*|format|' >>"$bad"
else
    echo "SKIPPED: clang-format 14 is not installed, the format is not checked" >&2
fi

if [ -s "$bad" ]; then
    cat "$bad"
    echo "lint: $(wc -l <"$bad") violations"
    exit 1
fi
echo "lint: $(printf '%s\n' $sources | wc -l) files clean"
