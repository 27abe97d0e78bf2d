#!/usr/bin/env bash
# Make a virtual environment with all that MMViT needs: the versions of
# requirements.txt and this folder's mmvit, editable.
#   bash tools/setup_env.sh
# VENV is the environment's folder (default .venv), PYTHON the interpreter that
# makes it. Run again, it installs only what has changed.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
if [ ! -x "$venv/bin/python" ]; then
    python=${PYTHON:-$(command -v python3.11 || command -v python3)}
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
        echo "$python is older than Python 3.10: set PYTHON to a newer one" >&2
        exit 1
    }
    echo "== virtual environment $venv ($("$python" --version))"
    "$python" -m venv "$venv"
fi
wanted=$(cat setup.py requirements.txt)
if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
    echo '== packages: PyTorch is a download of some gigabytes, once'
    "$venv/bin/python" -m pip install --disable-pip-version-check \
        -c requirements.txt -e '.[tests]' | sed '/already satisfied/d'
    printf '%s\n' "$wanted" >"$venv/installed"
fi
echo "== ready: source $venv/bin/activate"
