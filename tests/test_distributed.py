"""tools/dist_train.sh and tools/dist_test.sh: two processes on the CPU."""

import os
import subprocess
import time

import pytest

from tests.support.helpers import ROOT, clean_environment
from tests.support.recorder import record
from tests.support.tiny import tiny_config, write_config


def run_job(*args):
    """Run a command that starts processes, and leave none behind."""
    process = subprocess.Popen(
        args,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = process.communicate(timeout=500)
    finally:
        process.terminate()  # on which torchrun ends its processes
    return subprocess.CompletedProcess(args, process.returncode, out, err)


@pytest.fixture
def launch(tmp_path, plain_dumps):
    """Train a config with two processes, in the folder `two`."""

    def run(cfg):
        config = write_config(cfg, tmp_path / 'two.py')
        return run_job(
            *('bash', str(ROOT / 'tools/dist_train.sh'), config),
            *('2', '--work-dir', str(tmp_path / 'two')),
        )

    return run


@pytest.mark.slow
def test_a_process_that_fails_ends_the_job(scenes, launch, tmp_path):
    cfg = record(tiny_config('cls', scenes), tmp_path / 'losses.json')
    failed = tmp_path / 'failed'
    cfg.custom_hooks.append(dict(type='FailOnOneRank', path=str(failed)))
    done = launch(cfg)
    assert done.returncode != 0
    assert 'the second process gives up' in done.stderr + done.stdout
    assert not (tmp_path / 'two/epoch_1.pth').exists()
    assert time.time() - failed.stat().st_mtime < 60


@pytest.mark.parametrize(
    ('tool', 'arguments'),
    [
        ('train', ['config.py', '2', '--resume', 'auto']),
        ('test', ['config.py', 'weights.pth', '2', '--out', 'a b.pkl']),
    ],
)
def test_what_the_scripts_start(tmp_path, tool, arguments):
    stand_in = tmp_path / 'python'
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stand_in.chmod(0o755)
    path = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
    script = str(ROOT / f'tools/dist_{tool}.sh')

    def started(**machines):
        done = subprocess.run(
            ['bash', script, *arguments],
            env=clean_environment(**machines) | dict(PATH=path),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    run = ['-m', 'torch.distributed.run']
    own = ['--nproc_per_node=2', '--max-restarts=0']
    rest = [text for text in arguments if text != '2']
    tools = [str(ROOT / f'tools/{tool}.py'), *rest, '--launcher', 'pytorch']
    assert started() == [*run, '--standalone', *own, *tools]
    assert started(NNODES='3', MASTER_ADDR='first') == [
        *(*run, '--nnodes=3', '--node_rank=0', '--master_addr=first'),
        *('--master_port=29500', *own, *tools),
    ]


@pytest.mark.parametrize('tool', ['train', 'test'])
def test_usage(tool):
    done = subprocess.run(
        ['bash', str(ROOT / f'tools/dist_{tool}.sh'), 'config.py'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert f'dist_{tool}.sh CONFIG' in done.stdout + done.stderr
