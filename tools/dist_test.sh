#!/usr/bin/env bash
# Test on several processes of one or more machines.
#   bash tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [arguments of test.py]
# On several machines see tools/dist_train.sh.
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,4p' "$0"
    exit 2
fi
config=$1 checkpoint=$2 processes=$3
shift 3
exec "$(dirname "$0")/dist_run.sh" test.py "$config" "$processes" \
    "$checkpoint" "$@"
