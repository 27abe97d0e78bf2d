"""tools/visualization/compare_models.py: predictions side by side."""

import cv2
import numpy as np
import pytest
import torch

from tests.support.helpers import load_tool
from tests.support.tiny import TASKS

tool = load_tool('visualization/compare_models')


@pytest.fixture
def compare(trained, scenes, tmp_path):
    """Compare the models of some checkpoints on two images."""

    def run(task, checkpoints):
        own, _ = trained(task)
        images = [
            str(scenes / f'img_dir/val/val_{number}.jpg') for number in (0, 1)
        ]
        out = tmp_path / 'compared'
        configs = [own] * len(checkpoints)
        names = [f'model {number}' for number in range(len(checkpoints))]
        tool.main(
            [
                *images,
                *('--configs', *configs),
                *('--checkpoints', *checkpoints),
                *('--names', *names),
                *('--out-dir', str(out)),
            ]
        )
        names = sorted(path.name for path in out.iterdir())
        assert names == ['00000_val_0.png', '00001_val_1.png']
        return [cv2.imread(str(out / name)) for name in names]

    return run


@pytest.mark.parametrize('task', TASKS)
def test_each_model_has_a_column(task, compare, weights):
    pictures = compare(task, [weights(task)] * 2)
    columns = 3 if task == 'seg' else 2
    for picture in pictures:
        height, width, _ = picture.shape
        assert width == columns * 384 and 384 < height < 450
        parts = np.split(picture[:414], columns, axis=1)
        assert (parts[-1][:30] != parts[-2][:30]).any()
        # The same model draws the same below the names; mmdet varies the
        # colours of masks.
        if task != 'ins':
            np.testing.assert_array_equal(parts[-1][30:], parts[-2][30:])


def test_different_models_draw_different_maps(compare, weights, tmp_path):
    path = tmp_path / 'other.pth'
    found = torch.load(weights('seg'), weights_only=False)
    head = found['state_dict']
    head['decode_head.conv_seg.bias'] = torch.tensor([0.0, 99.0, 0.0])
    torch.save(found, path)
    picture, _ = compare('seg', [weights('seg'), str(path), str(path)])
    parts = np.split(picture[:414], 4, axis=1)
    assert (parts[1][30:] != parts[2][30:]).any()
    np.testing.assert_array_equal(parts[2][30:], parts[3][30:])


def test_other_classes_are_refused(compare, weights, tmp_path):
    found = torch.load(weights('seg'), weights_only=False)
    found['meta']['dataset_meta']['classes'] = ('a', 'b', 'c')
    path = tmp_path / 'other.pth'
    torch.save(found, path)
    with pytest.raises(SystemExit, match='model 1 has other classes'):
        compare('seg', [weights('seg'), str(path)])


def test_one_checkpoint_for_each_config(trained, capsys):
    config, checkpoint = trained('seg')
    with pytest.raises(SystemExit):
        tool.parse_args(
            [
                __file__,
                *('--configs', config, config),
                *('--checkpoints', checkpoint),
                *('--names', 'a', 'b', '--out-dir', 'x'),
            ]
        )
    assert '1 --checkpoints for 2 configs' in capsys.readouterr().err
