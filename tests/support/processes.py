"""Processes that begin without importing the libraries for ten seconds.

They are forked from a process that has imported everything and has used
nothing: autograd does not survive a fork of a process that has used it.
"""

import importlib
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace

import mmengine.config.utils
import mmengine.dataset.base_dataset
import mmengine.runner.runner
import torch
import yapf.yapflib.yapf_api

from mmvit.registry import MODELS

from .config_tools import load_once
from .helpers import clean_environment, load_tool

_FORKS = multiprocessing.get_context('forkserver')
_FORKS.set_forkserver_preload(['tests.support.prepared'])


def prepare() -> None:
    """Import everything, and leave out what takes longer than a training.

    That is asking compilers, formatting configs, collecting garbage, and
    reading a library's metafiles more than once. Only for processes that end
    with one test.
    """
    torch.set_num_threads(1)
    for scope in ('mmdet', 'mmseg', 'mmpretrain'):
        importlib.import_module(f'{scope}.utils').register_all_modules(False)
    MODELS.import_from_location()
    load_tool('train')
    mmengine.config.utils.load = load_once
    mmengine.runner.runner.collect_env = dict
    yapf.yapflib.yapf_api.FormatCode = lambda text, **_: (text, True)
    mmengine.dataset.base_dataset.gc = SimpleNamespace(collect=lambda: 0)


def _run(
    target: Callable | str, args: tuple, log: Path, environment: dict[str, str]
) -> None:
    with open(log, 'w') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(environment['PWD'])
    prepare()
    if isinstance(target, str):
        sys.exit(load_tool(target).main(list(args)))
    target(*args)


def start(
    target: Callable | str, *args: object, log: Path, **environment: str
) -> BaseProcess:
    """Call a function, or the main of a tool, in a process of its own.

    Args:
        target: The function, or the name of the tool for `load_tool`.
        args: Its arguments; those of a tool become texts.
        log: Where its output goes.
        environment: Variables that are added to those of this process.
    """
    if isinstance(target, str):
        args = tuple(map(str, args))
    variables = clean_environment(PWD=os.getcwd(), **environment)
    process = _FORKS.Process(target=_run, args=(target, args, log, variables))
    process.start()
    return process


def end(processes: list[BaseProcess], seconds: float = 300) -> list[int]:
    """Wait for processes and return how they ended; kill those that do not."""
    deadline = time.monotonic() + seconds
    for process in processes:
        process.join(max(0, deadline - time.monotonic()))
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


def free_port() -> int:
    """Find a port of this machine that nobody listens to."""
    with socket.socket() as server:
        server.bind(('localhost', 0))
        return server.getsockname()[1]


def start_two(tool: str, *args: object, log: Path) -> list[BaseProcess]:
    """Run a tool in two processes that work together, as torchrun does.

    Args:
        tool: Its name for `load_tool`.
        args: Its arguments.
        log: Where the output goes, after '0-' or '1-' in the file's name.
    """
    job = dict(
        WORLD_SIZE='2',
        MASTER_ADDR='localhost',
        MASTER_PORT=str(free_port()),
    )
    return [
        start(
            *(tool, *args, '--launcher', 'pytorch'),
            log=log.with_name(f'{rank}-{log.name}'),
            **job,
            RANK=str(rank),
            LOCAL_RANK=str(rank),
        )
        for rank in (0, 1)
    ]
