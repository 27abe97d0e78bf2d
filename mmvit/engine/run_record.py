"""Record of a run: command, versions, seed, state of the code."""

import contextlib
import json
import os
import os.path as osp
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import torch
from mmengine.runner import Runner

from mmvit.stack import REQUIREMENTS
from mmvit.version import __version__

# Keeps bytes that are no text, so that they are written as they were read
_ANY_BYTES = 'surrogateescape'


def _git(folder: str, *args: str) -> str:
    """Return what git writes, or '' if it fails."""
    command = ['git', '-C', folder, *args]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.check_output(
            command,
            stderr=subprocess.DEVNULL,
            # A diff holds the bytes of its files, which may be of any kind.
            encoding='utf-8',
            errors=_ANY_BYTES,
            timeout=20,
        ).strip()
    return ''


def git_states(folders: list[str]) -> dict[str, dict]:
    """Read commit, changed files and their diff of folders' repositories."""
    states = {}
    for folder in folders:
        root = _git(folder, 'rev-parse', '--show-toplevel')
        if root and root not in states:
            changed = _git(root, 'status', '--porcelain', '-uno')
            states[root] = dict(
                commit=_git(root, 'rev-parse', 'HEAD'),
                changed=changed.splitlines(),
                diff=_git(root, 'diff', 'HEAD') if changed else '',
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


def write_record(runner: Runner) -> None:
    """Write a run's record, uncommitted changes and config file to its log.

    Whatever goes wrong with it is logged and stops nothing.
    """
    try:
        _write_record(runner)
    except Exception as error:
        runner.logger.warning(
            f'{runner._log_dir} has no complete record of the run: '
            f'{type(error).__name__}: {error}'
        )


def _write_record(runner: Runner) -> None:
    sources = [osp.dirname(__file__), os.getcwd()]
    if runner.cfg.filename:
        sources.append(osp.dirname(osp.abspath(runner.cfg.filename)))
    repositories = git_states(sources)
    changes = ''.join(
        f'# {root}\n{state.pop("diff")}\n'
        for root, state in repositories.items()
        if state['changed']
    )
    facts = ('seed', 'deterministic', 'world_size', 'launcher')
    record = dict(
        command=sys.argv,
        started=runner.timestamp,
        **{name: getattr(runner, name) for name in facts},
        versions=versions(),
        git=repositories,
    )
    folder = Path(runner._log_dir)
    (folder / 'run.json').write_text(json.dumps(record, indent=2))
    if changes:
        (folder / 'uncommitted.diff').write_bytes(
            changes.encode('utf-8', _ANY_BYTES)
        )
    name = osp.basename(runner.cfg.filename or f'{runner.timestamp}.py')
    shutil.copyfile(osp.join(runner.work_dir, name), folder / 'config.py')
