"""The quickstart's data set: repeatable, consistent, honestly split."""

import json
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from sklearn.datasets import load_sample_image

from tests.support.helpers import load_tool

SETTINGS = dict(seed=3, num_train=10, num_val=10, size=64)


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    return load_tool('dataset_converters/digit_scenes')


@pytest.fixture(scope='module')
def root(tool: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('data') / 'digit_scenes'
    assert tool.write_dataset(path, **SETTINGS)
    return path


def read_coco(root: Path, split: str) -> dict:
    path = root / 'annotations' / f'instances_{split}.json'
    return json.loads(path.read_text())


def read_bytes(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def test_same_seed_gives_the_same_bytes(
    tool: ModuleType, root: Path, tmp_path: Path
) -> None:
    tool.write_dataset(tmp_path / 'again', **SETTINGS)
    tool.write_dataset(tmp_path / 'other', **{**SETTINGS, 'seed': 4})
    first, again = read_bytes(root), read_bytes(tmp_path / 'again')
    other = read_bytes(tmp_path / 'other')
    assert first == again
    # 20 scenes, their label maps, 20 single digits, 2 JSON, the settings.
    assert len(first) == 63
    assert first.keys() == other.keys()
    assert not any(first[name] == other[name] for name in first)


def test_a_scene_does_not_depend_on_how_many_there_are(
    tool: ModuleType, root: Path, tmp_path: Path
) -> None:
    tool.write_dataset(tmp_path / 'few', **{**SETTINGS, 'num_train': 2})
    few, many = read_bytes(tmp_path / 'few'), read_bytes(root)
    pictures = [name for name in few if not name.endswith('.json')]
    assert len(pictures) == 36
    assert all(few[name] == many[name] for name in pictures)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_masks_boxes_and_label_maps_agree(root: Path, split: str) -> None:
    coco = read_coco(root, split)
    assert len(coco['images']) == 10
    for image in coco['images']:
        picture = cv2.imread(str(root / 'images' / image['file_name']))
        assert picture.shape == (64, 64, 3)
        name = Path(image['file_name']).with_suffix('.png')
        path = root / 'annotations' / name
        label_map = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        drawn = np.zeros((64, 64), int)
        taken = np.zeros((64, 64), int)
        for annotation in coco['annotations']:
            if annotation['image_id'] != image['id']:
                continue
            mask = coco_mask.decode(annotation['segmentation'])
            rows, columns = np.nonzero(mask)
            left, top, width, height = annotation['bbox']
            assert (left, top) == (columns.min(), rows.min())
            assert (width, height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)
            assert annotation['area'] == mask.sum() > 0
            drawn[mask > 0] = annotation['category_id'] + 1
            taken += mask
        assert taken.max() == 1
        assert drawn.any()
        np.testing.assert_array_equal(
            np.where(label_map >= 2, label_map, 0), drawn
        )
        assert {0, 1} <= set(np.unique(label_map)) <= set(range(12))


def test_category_is_the_class_of_the_scan(
    tool: ModuleType, root: Path
) -> None:
    categories = read_coco(root, 'train')['categories']
    assert all('supercategory' in category for category in categories)
    names = [category['name'] for category in categories]
    assert names == list('0123456789')
    for split in ('train', 'val'):
        digits = tool.load_digit_split(split)
        label_of = dict(zip(digits.indices, digits.labels, strict=True))
        for annotation in read_coco(root, split)['annotations']:
            label = label_of[annotation['digit_index']]
            assert annotation['category_id'] == label + 1


def test_held_out_scenes_share_no_digit_and_no_background(
    tool: ModuleType, root: Path
) -> None:
    train, val = map(tool.load_digit_split, ('train', 'val'))
    assert not set(train.indices) & set(val.indices)
    assert len(train.indices) + len(val.indices) == 1797
    assert set(val.labels) == set(range(10))
    for split, digits in (('train', train), ('val', val)):
        used = {
            annotation['digit_index']
            for annotation in read_coco(root, split)['annotations']
        }
        assert used <= set(digits.indices)
    # The two parts lie side by side and make up the whole photograph.
    parts = [tool.load_backgrounds(split)[0] for split in ('train', 'val')]
    china = load_sample_image('china.jpg')[..., ::-1]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), china)


def test_class_folders_hold_their_class(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw_flat(_rng, digits, _backgrounds, size, *_, **__):
        (label,) = set(digits.labels)
        image = np.full((size, size, 3), 20 * label, np.uint8)
        return tool.Scene(image, image[..., 0], [])

    monkeypatch.setattr(tool, 'draw_scene', draw_flat)
    rng = np.random.default_rng(0)
    digits = tool.load_digit_split('val')
    for label in range(10):
        assert tool.draw_single(rng, digits, [], 32, label).mean() == (
            20 * label
        )

    def draw_label(_rng, _digits, _backgrounds, size, label):
        return np.full((size, size, 3), 20 * label, np.uint8)

    monkeypatch.undo()
    monkeypatch.setattr(tool, 'draw_single', draw_label)
    tool.write_dataset(tmp_path / 'set', **SETTINGS)
    for split in ('train', 'val'):
        folders = sorted((tmp_path / 'set/classification' / split).iterdir())
        assert [folder.name for folder in folders] == list('0123456789')
        for label, folder in enumerate(folders):
            (path,) = folder.iterdir()
            picture = cv2.imread(str(path))
            assert picture.shape == (32, 32, 3)
            assert abs(picture.mean() - 20 * label) < 3


def test_overlapped_digits_stay_mostly_visible(tool: ModuleType) -> None:
    digits = tool.load_digit_split('val')
    backgrounds = tool.load_backgrounds('val')
    rng = np.random.default_rng(0)
    visible = [
        instance.mask.sum() / instance.full_area
        for _ in range(30)
        for instance in tool.draw_scene(
            rng, digits, backgrounds, 64, num_digits=(4, 4)
        ).instances
    ]
    assert 0.6 <= min(visible) < 0.9
    assert max(visible) == 1


def test_an_existing_set_is_kept_or_replaced(
    tool: ModuleType, tmp_path: Path
) -> None:
    root = tmp_path / 'set'
    settings = dict(seed=0, num_train=1, num_val=1, size=64)
    assert tool.write_dataset(root, **settings)
    before = (root / 'digit_scenes.json').stat().st_mtime_ns
    assert not tool.write_dataset(root, **settings)
    assert (root / 'digit_scenes.json').stat().st_mtime_ns == before
    assert tool.write_dataset(root, **{**settings, 'num_train': 2})
    assert len(list((root / 'images/training').iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ['set']


def test_a_foreign_folder_is_left_alone(
    tool: ModuleType, tmp_path: Path
) -> None:
    photo = tmp_path / 'holiday.jpg'
    photo.write_bytes(b'mine')
    with pytest.raises(FileExistsError, match='was not made by this tool'):
        tool.write_dataset(tmp_path, num_train=1, num_val=1)
    assert [path.name for path in tmp_path.iterdir()] == ['holiday.jpg']
    assert photo.read_bytes() == b'mine'


def test_nothing_is_left_half_written(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError('disk full')

    with monkeypatch.context() as patch:
        patch.setattr(tool, 'write_image', fail)
        with pytest.raises(OSError, match='disk full'):
            tool.write_dataset(tmp_path / 'set', num_train=1, num_val=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'setting', [dict(num_train=0), dict(num_val=0), dict(size=32)]
)
def test_a_number_that_is_too_small_is_named(
    tool: ModuleType, tmp_path: Path, setting: dict[str, int]
) -> None:
    (name, value), *_ = setting.items()
    with pytest.raises(ValueError, match=f'{name} must be .* got {value}'):
        tool.write_dataset(tmp_path / 'set', **setting)
