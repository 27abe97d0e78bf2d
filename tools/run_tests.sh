#!/usr/bin/env bash
# Install what is missing, then run the tests, one process a core.
#   bash tools/run_tests.sh [arguments of pytest]
# Without GPUs the tests marked `gpu` are skipped; -m "not slow" leaves out
# the long ones.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/setup_env.sh
# More threads than cores only slow each other down.
export OMP_NUM_THREADS=1
exec "${VENV:-.venv}/bin/python" -m pytest -n auto --dist loadfile "$@"
