"""Running the tools, and reading what their runs leave."""

import functools
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def load_tool(name: str) -> ModuleType:
    """Import tools/NAME.py, which is in no package."""
    path = ROOT / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'tool_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_python(
    *args: str, timeout: float = 400, **environment: str
) -> subprocess.CompletedProcess:
    """Run Python in a process of its own, with mmvit and tests in reach."""
    return subprocess.run(
        [sys.executable, *args],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


_FORKS = """
import os, sys
{preload}
for code in {codes!r}:
    if not os.fork():
        exec(code, globals())
        sys.exit()
    if os.wait()[1]:
        sys.exit('it failed in:' + code)
    print({mark!r}, flush=True)
"""
_MARK = '--- end of one code ---'


def in_forks(preload: str, codes: Sequence[str]) -> str:
    """Make a script that runs each code in a fork of its process.

    Args:
        preload: What the process runs before, such as slow imports.
        codes: They begin with what `preload` has made.
    """
    return _FORKS.format(preload=preload, codes=list(codes), mark=_MARK)


def printed(done: subprocess.CompletedProcess) -> list[str]:
    """What each code of a script of `in_forks` has printed."""
    assert done.returncode == 0, done.stderr[-2000:]
    return [part.strip() for part in done.stdout.split(_MARK)[:-1]]


def clean_environment(**changes: str) -> dict[str, str]:
    """Environment of a new process: this Python first, one thread."""
    env = {
        key: value for key, value in os.environ.items() if key != 'LOCAL_RANK'
    }
    env['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{env["PATH"]}'
    return {**env, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1', **changes}


def read_log(work_dir: Path) -> list[dict]:
    """Read what the runs in a work dir logged: a dict per line."""
    lines = []
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        lines += [json.loads(line) for line in path.read_text().splitlines()]
    return lines


def losses(work_dir: Path) -> list[float]:
    """Losses of a work dir's training, in order."""
    return [line['loss'] for line in read_log(work_dir) if 'loss' in line]


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    """Weights in a checkpoint that a run of ours wrote."""
    return torch.load(path, weights_only=False)['state_dict']
