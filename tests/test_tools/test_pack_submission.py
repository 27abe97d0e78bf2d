"""tools/dataset_converters/pack_submission.py."""

import zipfile

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
    maps, out = tmp_path / 'maps', str(tmp_path / 'out.zip')
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
