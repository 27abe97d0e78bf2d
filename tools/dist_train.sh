#!/usr/bin/env bash
# Train on several processes of one or more machines.
#   bash tools/dist_train.sh CONFIG PROCESSES [arguments of tools/train.py]
# On several machines, run this on each; MASTER_ADDR is the first machine:
#   NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 bash tools/dist_train.sh CONFIG 8
# MAX_RESTARTS=N restarts all processes up to N times after a failure; use it
# with --resume auto. Without GPUs the processes share the CPU (gloo).
set -euo pipefail
exec "$(dirname "$0")/dist_run.sh" train.py "$@"
