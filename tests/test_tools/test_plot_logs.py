"""tools/analysis_tools/plot_logs.py on logs of trainings."""

import json
from pathlib import Path

import cv2
import pytest

from tests.support.helpers import load_tool, read_log
from tests.support.tiny import METRIC, tiny_config

tool = load_tool('analysis_tools/plot_logs')


def write_log(work_dir: Path, start: str, lines: list[dict]) -> None:
    """Write a log as mmengine does, in the folder of a start."""
    folder = work_dir / start / 'vis_data'
    folder.mkdir(parents=True)
    text = '\n'.join(json.dumps(line) for line in lines) + '\n'
    (folder / 'scalars.json').write_text(text)


def epochs(values: dict[int, float], key: str = 'coco/bbox_mAP') -> list[dict]:
    """Lines of a training with 10 iterations and a loss of E in epoch E."""
    lines = []
    for epoch, value in values.items():
        step = 10 * epoch
        lines.append(
            dict(loss=float(epoch), epoch=epoch, iter=step, step=step)
        )
        lines.append(
            {key: value, 'data_time': 0.1, 'time': 1.0, 'step': epoch}
        )
    return lines


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Work dirs of two runs, of which the second was resumed."""
    write_log(tmp_path / 'a', '20260101_000000', epochs({1: 0.1, 2: 0.3}))
    first, second = epochs({1: 0.2, 2: 0.4}), epochs({2: 0.5, 3: 0.25})
    write_log(tmp_path / 'b', '20260101_000000', first)
    write_log(tmp_path / 'b', '20260102_000000', second)
    return [str(tmp_path / name) for name in 'ab']


def test_curves_of_two_runs(runs, tmp_path, capsys):
    out = tmp_path / 'new/ap.png'
    names = ['--names', 'with', 'without']
    tool.main([*runs, '--out', str(out), '--keys', 'coco/bbox_mAP', *names])
    text = capsys.readouterr().out
    assert text.startswith('coco/bbox_mAP:\n')
    assert 'with     0.3 after epoch 2, from 0.1 (epoch 1) to 0.3 (ep' in text
    assert 'without  0.25 after epoch 3, from 0.2 (epoch 1) to 0.5 (e' in text
    height = cv2.imread(str(out)).shape[0]
    assert height > 400
    tool.main([*runs, '--out', str(out), '--json'])
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ['loss', 'coco/bbox_mAP']
    assert found['coco/bbox_mAP'] == dict(
        unit='epoch',
        curves={
            'a': {'1': 0.1, '2': 0.3},
            'b': {'1': 0.2, '2': 0.5, '3': 0.25},
        },
    )
    # The resumed run replaces what it did again.
    assert found['loss'] == dict(
        unit='iteration',
        curves={
            'a': {'10': 1.0, '20': 2.0},
            'b': {'10': 1.0, '20': 2.0, '30': 3.0},
        },
    )
    assert cv2.imread(str(out)).shape[0] == 2 * height


@pytest.mark.parametrize('task', ['cls', 'seg'])
def test_logs_of_real_trainings(command, scenes, tmp_path, task, capsys):
    work_dir = command('train', tiny_config(task, scenes))
    tool.main([str(work_dir), '--out', str(tmp_path / 'x.png'), '--json'])
    # The training's own text comes first.
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(found) == ['loss', 'lr', METRIC[task]]
    logged = read_log(work_dir)
    for key, panel in found.items():
        ((_, curve),) = panel['curves'].items()
        assert list(curve.values()) == [x[key] for x in logged if key in x]
    by_epoch = task == 'cls'
    assert found['loss']['unit'] == 'iteration'
    assert found[METRIC[task]]['unit'] == 'epoch' if by_epoch else 'iteration'
    assert list(curve) == (['1', '2'] if by_epoch else ['2', '4'])


def test_a_file_is_a_run_too(runs, tmp_path):
    (file,) = Path(runs[0]).glob('*/vis_data/scalars.json')
    assert tool.read_run(file) == tool.read_run(Path(runs[0]))


def test_a_loss_of_the_validation(tmp_path):
    write_log(tmp_path / 'a', '1', epochs({1: 0.5}, 'loss'))
    log = tool.read_run(tmp_path / 'a')
    assert log.train == {'loss': {10: 1.0}}
    assert log.val == {'val/loss': {1: 0.5}}


def test_what_does_not_fit_is_named(runs, tmp_path, capsys):
    out = ['--out', str(tmp_path / 'x.png')]
    with pytest.raises(SystemExit, match='a has logged no mIoU; it has: loss'):
        tool.main([*runs, '--keys', 'mIoU', *out])
    (tmp_path / 'empty').mkdir()
    with pytest.raises(SystemExit, match='empty has no'):
        tool.main([str(tmp_path / 'empty'), *out])
    write_log(tmp_path / 'c', '1', [{'mIoU': 30.0, 'step': 1}])
    with pytest.raises(SystemExit, match='no key in common'):
        tool.main([runs[0], str(tmp_path / 'c'), *out])
    iterations = [
        dict(loss=1.0, iter=2000, step=2000),
        {'coco/bbox_mAP': 0.1, 'step': 2000},
    ]
    write_log(tmp_path / 'd', '1', iterations)
    with pytest.raises(SystemExit, match='coco/bbox_mAP: .* draw them apart'):
        tool.main([runs[0], str(tmp_path / 'd'), *out])
    with pytest.raises(SystemExit):
        tool.main([*runs, '--names', 'one', *out])
    assert 'give one for each' in capsys.readouterr().err
    assert not (tmp_path / 'x.png').exists()


def test_a_file_that_is_no_log(tmp_path):
    path = tmp_path / 'x.json'
    path.write_text('model = 1')
    with pytest.raises(SystemExit, match='x.json is no log of a training'):
        tool.read_run(path)
