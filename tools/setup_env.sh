#!/usr/bin/env bash
# Set up a virtual environment with all that MMViT needs. What is there
# already is left alone, so it can be run again after a break.
#   bash tools/setup_env.sh
# VENV is the environment's folder (default .venv), PYTHON the interpreter
# that makes it. With GPUs visible (or FORCE_CUDA=1) mmcv's operators are
# compiled for them too, which needs nvcc.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
log=$venv/setup.log

say() { printf '== %s\n' "$*"; }

pin() { grep -E "^$1==" requirements.txt; }

have() { # is this very version installed?
    "$venv/bin/python" - "$1" <<'PY' >/dev/null 2>&1
import sys
from importlib.metadata import version
name, wanted = sys.argv[1].split('==')
sys.exit(version(name).split('+')[0] != wanted)
PY
}

install() { # quietly; the log tells what went wrong
    if ! "$venv/bin/pip" install "$@" >>"$log" 2>&1; then
        tail -n 25 "$log" >&2
        say "failed: pip install $* (all of it: $log)" >&2
        exit 1
    fi
}

if [ ! -x "$venv/bin/python" ]; then
    python=${PYTHON:-$(command -v python3.11 || command -v python3)}
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
        say "$python is older than 3.10: set PYTHON to a newer one" >&2
        exit 1
    }
    say "virtual environment $venv ($("$python" --version))"
    "$python" -m venv "$venv"
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1
: >"$log"
if ! "$venv/bin/python" -c 'import ninja, psutil, wheel, packaging, setuptools' 2>/dev/null; then
    say 'build tools'
    install --upgrade pip 'setuptools<80' wheel ninja psutil packaging
fi
if ! have "$(pin torch)" || ! have "$(pin torchvision)"; then
    say 'PyTorch: a download of some gigabytes, a few minutes'
    install "$(pin torch)" "$(pin torchvision)"
fi
have "$(pin onedl-mmengine)" || { say mmengine; install "$(pin onedl-mmengine)"; }

ops_load() { "$venv/bin/python" -c 'import mmcv._ext' 2>/dev/null; }

compile_mmcv() { # with a line of progress, since it takes minutes
    local start=$SECONDS
    "$venv/bin/pip" install -v --no-build-isolation "$@" \
        "$(pin onedl-mmcv)" >>"$log" 2>&1 &
    local job=$!
    while kill -0 "$job" 2>/dev/null; do
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            kill -0 "$job" 2>/dev/null || break
            sleep 2
        done
        printf '   %4d s  %s files compiled\n' $((SECONDS - start)) \
            "$(grep -oE '^ *\[[0-9]+/[0-9]+\]' "$log" | tail -n 1 |
                tr -d '[] ' || true)"
    done
    if ! wait "$job"; then
        tail -n 25 "$log" >&2
        say "failed: compiling mmcv (all of it: $log)" >&2
        exit 1
    fi
}

if ! have "$(pin onedl-mmcv)" || ! ops_load; then
    say "mmcv: its operators are compiled here, some 10 minutes on 2 cores"
    compile_mmcv
    if ! ops_load; then
        # pip may have kept a build that was made without torch.
        say 'mmcv came from a cache and has no operators: compile it'
        compile_mmcv --no-cache-dir --force-reinstall --no-deps
    fi
    ops_load || { say 'mmcv has no operators after all' >&2; exit 1; }
fi
for package in onedl-mmdetection onedl-mmsegmentation onedl-mmpretrain; do
    if ! have "$(pin $package)"; then
        say "$package"
        install --no-build-isolation "$(pin $package)"
    fi
done
if ! "$venv/bin/python" -c 'import mmvit, sklearn, skimage, pytest, ruff' 2>/dev/null; then
    say 'mmvit (editable) and what its quickstart and tests need'
    install --no-build-isolation -e '.[tests]'
fi
say "ready: source $venv/bin/activate"
