import runpy
from pathlib import Path

import pytest
from mmpretrain.datasets import ImageNet

TOOL = runpy.run_path('tools/dataset_converters/imagenet_v2.py')


def test_each_image_gets_its_folder_as_label(tmp_path: Path) -> None:
    for number in range(1000):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / 'a.jpeg').touch()
    (tmp_path / '10' / 'b.jpeg').touch()
    assert TOOL['main']([str(tmp_path)]) == 0
    dataset = ImageNet(
        data_root=str(tmp_path), split='', ann_file='labels.txt'
    )
    assert len(dataset) == 1001
    for info in (dataset.get_data_info(index) for index in range(1001)):
        assert Path(info['img_path']).parent.name == str(info['gt_label'])


def test_a_missing_class_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / '0').mkdir()
    (tmp_path / '0' / 'a.jpeg').touch()
    assert TOOL['main']([str(tmp_path), '--classes', '2']) == 2
    assert 'no image in' in capsys.readouterr().err
    assert not (tmp_path / 'labels.txt').exists()
