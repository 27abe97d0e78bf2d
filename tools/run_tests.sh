#!/usr/bin/env bash
# Set up what is missing, then run the tests.
#   bash tools/run_tests.sh [arguments of pytest]
# Without GPUs the tests marked `gpu` are skipped; -m "not slow" leaves out
# the long ones.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/setup_env.sh
exec "${VENV:-.venv}/bin/python" -m pytest "$@"
