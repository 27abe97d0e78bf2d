"""tools/library_tool.py: the libraries' own tools with our configs."""

import sys

import pytest

from tests.support.helpers import load_tool
from tests.support.tiny import tiny_config, write_config

tool = load_tool('library_tool')


def test_tools_are_listed(capsys):
    tool.main(['mmdet'])
    assert 'analysis_tools/analyze_results' in capsys.readouterr().out.split()
    with pytest.raises(SystemExit):
        tool.main(['mmseg', 'misc/nothing'])
    assert 'no tool misc/nothing; mmseg has' in capsys.readouterr().err


def test_a_config_with_bases_of_mmseg_is_printed(plain_dumps, capsys):
    """Without mmvit, the tool does not find mmseg's configs."""
    before = sys.argv, list(sys.path)
    config = 'configs/pvt/fpn_pvt-s_4xb4-80k_ade20k-512x512.py'
    tool.main(['mmdet', 'misc/print_config', config])
    out = capsys.readouterr().out
    assert "type='mmvit.PVT'" in out and 'ADE20KDataset' in out
    assert before == (sys.argv, sys.path)


def test_confusion_of_a_classifier(trained, command, scenes, tmp_path, capsys):
    config, checkpoint = trained('cls')
    results = tmp_path / 'results.pkl'
    command('test', config, checkpoint, '--out', results)
    picture, folder = tmp_path / 'confusion.png', tmp_path / 'errors'
    name = 'analysis_tools/confusion_matrix'
    args = [config, str(results)]
    with pytest.raises(ValueError, match='results.pkl is a pickle'):
        tool.main(['mmpretrain', name, *args])
    trusted = ['--trust-checkpoint', str(results), 'mmpretrain']
    tool.main([*trusted, name, *args, '--show-path', str(picture)])
    assert picture.stat().st_size > 1000
    name = 'analysis_tools/analyze_results'
    tool.main([*trusted, name, *args, '--out-dir', str(folder)])
    assert list(folder.rglob('*.png'))


def test_schedule_of_a_config(scenes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = tiny_config(
        'det',
        scenes,
        default_hooks__param_scheduler=dict(type='ParamSchedulerHook'),
        param_scheduler=[dict(type='LinearLR', end=4, by_epoch=False)],
    )
    config = write_config(cfg, tmp_path / 'c.py')
    name = 'visualization/vis_scheduler'
    args = [config, '-d', '8', '--not-show', '--save-path', 'lr.png']
    tool.main(['mmpretrain', name, *args])
    assert (tmp_path / 'lr.png').stat().st_size > 1000
