#!/bin/sh
# What `make demo` runs: a study on the data that ships with the project, in a
# state directory of its own, from nothing to its best parameters.
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
state=$(dirname "$bin")/demo-state

# Another demo may hold the port: any free one will do then.
"$bin/parzen" --state "$state" daemon status >/dev/null 2>&1 ||
    "$bin/parzen" --state "$state" daemon start --port 0
echo "Studies, trials and checkpoints go to $state"
"$bin/parzen" --state "$state" run "$here/quick.json"
echo
echo "Watch it in the page (the daemon stays until you stop it):"
"$bin/parzen" --state "$state" daemon url
echo
echo "Next:  $bin/parzen --state $state trials quick"
echo "       $bin/parzen --state $state resume quick --trials 20"
echo "       $bin/parzen --state $state daemon stop"
