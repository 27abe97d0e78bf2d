#!/usr/bin/env bash
# Train on a Slurm cluster.
#   GPUS=16 GPUS_PER_NODE=8 bash tools/slurm_train.sh PARTITION JOB_NAME \
#       CONFIG [arguments of tools/train.py]
# SRUN_ARGS holds further arguments of srun.
set -euo pipefail
exec "$(dirname "$0")/slurm_run.sh" train.py "$@"
