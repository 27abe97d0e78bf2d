#!/usr/bin/env bash
# Start a tool with torchrun; dist_train.sh and dist_test.sh use it.
#   dist_run.sh TOOL CONFIG PROCESSES [arguments of the tool]
set -euo pipefail
if [ $# -lt 3 ]; then
    echo 'usage: bash tools/dist_train.sh CONFIG PROCESSES [arguments]' >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
tool=$1 config=$2 processes=$3
shift 3
if [ "${NNODES:-1}" = 1 ]; then
    where=(--standalone) # picks a free port, so that jobs can share a machine
else
    where=(--nnodes="$NNODES" --node_rank="${NODE_RANK:-0}"
        --master_addr="${MASTER_ADDR:?the address of the first machine}"
        --master_port="${PORT:-29500}")
fi
exec python -m torch.distributed.run "${where[@]}" \
    --nproc_per_node="$processes" --max-restarts="${MAX_RESTARTS:-0}" \
    "$here/$tool" "$config" "$@" --launcher pytorch
