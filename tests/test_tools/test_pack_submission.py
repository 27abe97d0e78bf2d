"""tools/dataset_converters/pack_submission.py."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.helpers import load_tool


@pytest.fixture
def tool():
    return load_tool('dataset_converters/pack_submission')


def write(folder, name: str, labels: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / name), labels)


def read(archive: str) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(archive) as content:
        return {
            name: cv2.imdecode(np.frombuffer(content.read(name), np.uint8), -1)
            for name in content.namelist()
        }


def test_training_ids_become_label_ids(tool, tmp_path):
    maps, out = tmp_path / 'maps', str(tmp_path / 'new/folder/out.zip')
    labels = np.zeros((1024, 2048), np.uint8)
    labels[0, :19] = np.arange(19)
    name = 'berlin_000000_000019_leftImg8bit.png'
    write(maps, name, labels)
    tool.main(['cityscapes', str(maps), out, '--number', '1'])
    found = read(out)
    assert list(found) == [name]
    # From the data set's own table: road 7, sky 23, car 26, bicycle 33.
    row = found[name][0]
    assert (row[0], row[10], row[13], row[18]) == (7, 23, 26, 33)
    assert len(set(row[:19].tolist())) == 19
    assert (found[name][1:] == 7).all()


def test_ade20k_stays_as_it_is(tool, tmp_path):
    maps, out = tmp_path / 'maps', str(tmp_path / 'out.zip')
    labels = np.array([[1, 150], [7, 8]], np.uint8)
    write(maps, 'ADE_test_00000001.png', labels)
    tool.main(['ade20k', str(maps), out, '--number', '1'])
    assert (read(out)['ADE_test_00000001.png'] == labels).all()


@pytest.mark.parametrize(
    ('name', 'labels', 'message'),
    [
        ('b_000000_000019_leftImg8bit.png', (0, 19), 'values 0 to 19'),
        ('b_000000_000019_leftImg8bit.png', (0, 255), 'values 0 to 255'),
        ('b_000000_000019.png', (0, 18), 'named'),
    ],
)
def test_wrong_maps_are_refused(tool, tmp_path, name, labels, message):
    maps, out = tmp_path / 'maps', tmp_path / 'out.zip'
    picture = np.zeros((1024, 2048), np.uint8)
    picture[0, :2] = labels
    write(maps, name, picture)
    with pytest.raises(SystemExit, match=message):
        tool.main(['cityscapes', str(maps), str(out), '--number', '1'])
    assert [path.name for path in tmp_path.iterdir()] == ['maps']


def test_size_and_number_are_checked(tool, tmp_path):
    maps, out = tmp_path / 'maps', str(tmp_path / 'out.zip')
    write(
        maps,
        'b_000000_000019_leftImg8bit.png',
        np.zeros((512, 1024), np.uint8),
    )
    with pytest.raises(SystemExit, match='512x1024'):
        tool.main(['cityscapes', str(maps), out, '--number', '1'])
    with pytest.raises(SystemExit, match='1 maps, the test set 1525'):
        tool.main(['cityscapes', str(maps), out])


BOX = dict(image_id=7, category_id=90, bbox=[1.0, 2.0, 3.0, 4.0], score=0.5)
MASK = dict(BOX, segmentation=dict(size=[8, 8], counts='abc'))
NAME = 'detections_test-dev2017_ours_results'


@pytest.fixture
def pack_coco(tool, tmp_path: Path) -> Callable[..., Path]:
    """Pack detections for a test set of two images: pack(found, name)."""
    images = tmp_path / 'images.json'
    images.write_text(
        json.dumps(
            dict(images=[dict(id=7), dict(id=9)], categories=[dict(id=90)])
        )
    )

    def pack(found: object, name: str = f'{NAME}.zip') -> Path:
        results, out = tmp_path / 'results.bbox.json', tmp_path / name
        text = found if isinstance(found, str) else json.dumps(found)
        results.write_text(text)
        tool.main(
            ['coco', str(results), str(out), '--number', '2']
            + ['--images', str(images)]
        )
        return out

    return pack


def test_coco_boxes_stay_as_they_are(pack_coco, capsys) -> None:
    out = pack_coco([BOX, dict(BOX, image_id=9, score=1)])
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == [f'{NAME}.json']
        found = json.loads(archive.read(f'{NAME}.json'))
    assert found == [BOX, dict(BOX, image_id=9, score=1)]
    assert capsys.readouterr().out == f'{out}: 2 boxes\n'


def test_coco_masks_lose_their_boxes(pack_coco, capsys) -> None:
    out = pack_coco([MASK])
    with zipfile.ZipFile(out) as archive:
        (found,) = json.loads(archive.read(f'{NAME}.json'))
    assert 'bbox' not in found
    assert found['segmentation'] == MASK['segmentation']
    assert capsys.readouterr().out.endswith('1 masks\n')


@pytest.mark.parametrize(
    ('found', 'message'),
    [
        ([dict(BOX, image_id=8)], 'detection 0 .* is of image 8'),
        ([BOX, dict(BOX, category_id=12)], 'detection 1 .* no category'),
        ([dict(BOX, score=float('nan'))], 'no score, or no box'),
        ([dict(BOX, bbox=[1, 2, 3])], 'no score, or no box'),
        ([BOX] * 101, '101 detections of one image'),
        ([], '0 detections'),
        ('{"a": 1}', 'does not hold a list'),
        ('<html>', 'is not JSON'),
    ],
)
def test_wrong_detections_are_refused(
    pack_coco, tmp_path: Path, found: object, message: str
) -> None:
    with pytest.raises(SystemExit, match=message):
        pack_coco(found)
    assert not list(tmp_path.glob('*.zip*'))


def test_archive_of_coco_has_the_name_that_the_server_asks_for(
    pack_coco,
) -> None:
    with pytest.raises(SystemExit, match='ours.zip is not named like'):
        pack_coco([BOX], 'ours.zip')


def test_list_of_test_images_is_checked(tool, tmp_path: Path) -> None:
    results = tmp_path / 'results.json'
    results.write_text('[]')
    out = tmp_path / f'{NAME}.zip'
    images = tmp_path / 'image_info.json'
    command = ['coco', str(results), str(out), '--images', str(images)]
    with pytest.raises(SystemExit, match='image_info.json'):
        tool.main(command)
    images.write_text('{"images": [{"id": 1}], "categories": []}')
    with pytest.raises(SystemExit, match='1 images, the test set 20288'):
        tool.main(command)
