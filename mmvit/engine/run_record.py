"""Record of a run: command, versions, seed, state of the code."""

import json
import os
import os.path as osp
import platform
import shutil
import subprocess
import sys

import numpy
import torch
from mmengine.runner import Runner

from mmvit.stack import REQUIREMENTS
from mmvit.version import __version__

RECORD, CONFIG, CHANGES = 'run.json', 'config.py', 'uncommitted.diff'


def _git(folder: str, *args: str) -> str | None:
    try:
        done = subprocess.run(
            ['git', '-C', folder, *args],
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def git_states(folders: list[str]) -> dict[str, dict]:
    """Read the states of the repositories that folders are in.

    Returns:
        A dict for the root of each, with the keys 'commit', 'changed' (files
        that differ from it) and 'diff'.
    """
    states = {}
    for folder in folders:
        root = _git(folder, 'rev-parse', '--show-toplevel')
        if root and root not in states:
            changed = _git(root, 'status', '--porcelain', '-uno') or ''
            states[root] = dict(
                commit=_git(root, 'rev-parse', 'HEAD'),
                changed=changed.splitlines(),
                diff=(_git(root, 'diff', 'HEAD') or '') if changed else '',
            )
    return states


def versions() -> dict[str, str | None]:
    """Versions of the packages and of the hardware's software."""
    found = dict(
        python=platform.python_version(),
        platform=platform.platform(),
        mmvit=__version__,
        numpy=numpy.__version__,
        cuda=torch.version.cuda,
    )
    if torch.cuda.is_available():
        found['cudnn'] = str(torch.backends.cudnn.version())
        found['gpu'] = torch.cuda.get_device_name()
    for requirement in REQUIREMENTS:
        found[requirement.module] = requirement.version
    found['torch'] = torch.__version__  # with the build's name
    return found


def write_record(runner: Runner, config: str) -> None:
    """Write a run's record, uncommitted changes and config file to its log."""
    sources = [osp.dirname(__file__), os.getcwd()]
    if runner.cfg.filename:
        sources.append(osp.dirname(osp.abspath(runner.cfg.filename)))
    repositories = git_states(sources)
    changes = ''.join(
        f'# {root}\n{state.pop("diff")}\n'
        for root, state in repositories.items()
        if state['changed']
    )
    record = dict(
        command=sys.argv,
        started=runner.timestamp,
        seed=runner.seed,
        deterministic=runner.deterministic,
        world_size=runner.world_size,
        launcher=runner.launcher,
        versions=versions(),
        git=repositories,
    )
    with open(osp.join(runner._log_dir, RECORD), 'w') as file:
        json.dump(record, file, indent=2)
    if changes:
        with open(osp.join(runner._log_dir, CHANGES), 'w') as file:
            file.write(changes)
    shutil.copyfile(config, osp.join(runner._log_dir, CONFIG))
