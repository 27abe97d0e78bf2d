"""Record of a run."""

import json
import subprocess

import torch
from mmengine.config import Config

from mmvit.engine.run_record import git_states
from tests.support.tiny import tiny_config


def test_record_of_a_run(scenes, command):
    work_dir = command('train', tiny_config('cls', scenes))
    (log,) = work_dir.glob('*/*.log')
    text = log.read_text()
    assert 'Batch of an update: 1 processes x 4 images' in text
    record = json.loads((log.parent / 'run.json').read_text())
    assert record['seed'] == 0
    assert record['versions']['torch'] == torch.__version__
    assert record['versions']['mmdet']
    used = Config.fromfile(log.parent / 'config.py')
    assert used.optim_wrapper.optimizer.lr == 1e-3


def test_git_state(tmp_path):
    def git(*args):
        subprocess.run(['git', '-C', tmp_path, *args], check=True)

    git('init', '-q')
    (tmp_path / 'code.py').write_text('a = 1\n')
    git('add', '.')
    git(
        *('-c', 'user.name=a', '-c', 'user.email=a@example.com'),
        *('commit', '-qm', 'first'),
    )
    (state,) = git_states([str(tmp_path)]).values()
    assert len(state['commit']) == 40
    assert not state['changed']
    (tmp_path / 'code.py').write_text('a = 2\n')
    (state,) = git_states([str(tmp_path), str(tmp_path)]).values()
    assert 'code.py' in state['changed'][0]
    assert '+a = 2' in state['diff']
    assert git_states(['/nowhere']) == {}
