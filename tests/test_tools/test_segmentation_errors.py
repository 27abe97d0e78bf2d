"""tools/analysis_tools/segmentation_errors.py on the tiny scenes."""

import cv2
import numpy as np
import pytest

from tests.support.helpers import load_tool
from tests.support.scenes import SPLITS

tool = load_tool('analysis_tools/segmentation_errors')


def test_matrix_and_iou():
    truth = np.array([[0, 0, 1], [1, 2, 255]], np.uint8)
    labels = np.array([[0, 1, 1], [1, 0, 2]], np.uint8)
    matrix = tool.confusion(truth, labels, 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert tool.mean_iou(matrix) == pytest.approx((1 / 3 + 2 / 3 + 0) / 3)
    assert tool.mean_iou(np.zeros((3, 3), int)) == 1
    text = tool.most_confused(matrix, ['a', 'b', 'c'], 1)
    assert text == '  100.0 % of c is taken for a'


def test_errors_of_a_segmentor(trained, command, tmp_path, capsys):
    config, checkpoint = trained('seg')
    command('test', config, checkpoint)
    result = capsys.readouterr().out.rpartition('Result of')[2]
    wanted = float(result.partition('mIoU: ')[2].split()[0])
    out = tmp_path / 'out'
    args = [config, checkpoint, '--out-dir', str(out), '--device', 'cpu']
    tool.main([*args, '--worst', '2'])
    # The evaluator's IoU, which leaves out classes that do not occur
    found = capsys.readouterr().out.rpartition('mIoU ')[2].split(';')[0]
    assert float(found) == pytest.approx(wanted, abs=0.02)
    header, *rows = (out / 'confusion.csv').read_text().splitlines()
    assert header.split(',')[0] == 'ground'
    counts = np.array([row.split(',') for row in rows], int)
    assert counts.sum() == SPLITS['val'] * 64 * 64
    assert cv2.imread(str(out / 'confusion.png')) is not None
    worst = sorted((out / 'worst').iterdir())
    assert [path.name[:4] for path in worst] == ['000_', '001_']
    iou = [int(path.stem.rpartition('-')[2]) for path in worst]
    assert iou == sorted(iou)
    assert cv2.imread(str(worst[0])).shape[1] == 4 * 384  # enlarged


def test_other_tasks_are_refused(trained, tmp_path):
    config, checkpoint = trained('cls')
    with pytest.raises(SystemExit, match='is no segmentor'):
        tool.main([config, checkpoint, '--out-dir', str(tmp_path / 'out')])
