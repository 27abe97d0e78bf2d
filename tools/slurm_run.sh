#!/usr/bin/env bash
# Start a tool with srun; slurm_train.sh and slurm_test.sh use it.
#   slurm_run.sh TOOL PARTITION JOB_NAME CONFIG [arguments of the tool]
set -euo pipefail
if [ $# -lt 4 ]; then
    echo 'usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG' \
        '[arguments]' >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
tool=$1 partition=$2 job=$3
shift 3
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
if [ "$per_node" -gt "$gpus" ]; then
    per_node=$gpus
fi
# SRUN_ARGS holds several words on purpose.
# shellcheck disable=SC2086
exec srun --partition="$partition" --job-name="$job" \
    --gres="gpu:$per_node" --ntasks="$gpus" --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} python -u "$here/$tool" "$@" --launcher slurm
