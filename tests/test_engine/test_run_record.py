"""Record of a run."""

import json
import subprocess

import pytest
import torch
from mmengine.config import Config

from mmvit.engine import run_record
from mmvit.engine.run_record import git_states
from tests.support.tiny import tiny_config
from tests.support.toy import toy_runner


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


@pytest.fixture
def repository(tmp_path):
    """A folder with one file in its one commit."""

    def git(*args):
        subprocess.run(['git', '-C', tmp_path, *args], check=True)

    git('init', '-q')
    (tmp_path / 'code.py').write_text('a = 1\n')
    git('add', '.')
    git(
        *('-c', 'user.name=a', '-c', 'user.email=a@example.com'),
        *('commit', '-qm', 'first'),
    )
    return tmp_path


def test_git_state(repository):
    (state,) = git_states([str(repository)]).values()
    assert len(state['commit']) == 40
    assert not state['changed']
    (repository / 'code.py').write_text('a = 2\n')
    (state,) = git_states([str(repository), str(repository)]).values()
    assert 'code.py' in state['changed'][0]
    assert '+a = 2' in state['diff']
    assert git_states(['/nowhere']) == {}


def test_changes_of_any_encoding(repository, monkeypatch, fresh_runs):
    """A diff in Latin-1 is recorded as it is."""
    monkeypatch.chdir(repository)
    (repository / 'code.py').write_bytes('Grün\n'.encode('latin-1'))
    runner = toy_runner(repository / 'run')
    (path,) = (repository / 'run').glob('*/uncommitted.diff')
    assert b'+Gr\xfcn' in path.read_bytes()
    assert json.loads((path.parent / 'run.json').read_text())['seed'] == 0
    assert runner._log_dir == str(path.parent)


def test_record_never_stops_a_run(tmp_path, monkeypatch, fresh_runs, capsys):
    def fail(*_):
        raise RuntimeError('no record')

    monkeypatch.setattr(run_record, 'git_states', fail)
    toy_runner(tmp_path)
    output = capsys.readouterr()
    assert 'RuntimeError: no record' in output.out + output.err
