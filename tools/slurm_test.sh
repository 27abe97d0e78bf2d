#!/usr/bin/env bash
# Test on a Slurm cluster.
#   GPUS=8 bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT \
#       [arguments of tools/test.py]
# SRUN_ARGS holds further arguments of srun.
set -euo pipefail
exec "$(dirname "$0")/slurm_run.sh" test.py "$@"
