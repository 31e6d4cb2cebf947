#!/bin/sh
# oracle.sh DIR <COMMANDS: build the oracle in DIR and run it; exit code 77
# without protobuf-c.
here=$(dirname "$0")
command -v protoc-c >/dev/null || exit 77
echo '#include <protobuf-c/protobuf-c.h>' | ${CC:-cc} -E -x c - >/dev/null 2>&1 || exit 77
protoc-c --proto_path="$here" --c_out="$1" events.proto &&
    ${CC:-cc} -I"$1" -o "$1/oracle" "$here/oracle.c" "$1/events.pb-c.c" -lprotobuf-c &&
    "$1/oracle"
