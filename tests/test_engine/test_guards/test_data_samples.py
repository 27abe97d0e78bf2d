"""Data against models and labels."""

import numpy as np
import pytest
from PIL import Image

from mmvit.engine.guards import data_samples
from mmvit.engine.guards.data_samples import check_masks, check_samples
from tests.support.scenes import SIDE
from tests.support.tiny import tiny_config


@pytest.fixture
def warnings(monkeypatch):
    """What the checks log."""
    messages = []
    monkeypatch.setattr(data_samples, 'warn', messages.append)
    return messages


class Masks:
    """Like a data set of mmseg."""

    def __init__(self, folder, *masks, **info):
        self.infos = []
        for index, mask in enumerate(masks):
            path = folder / f'{index}.png'
            Image.fromarray(mask).save(path)
            self.infos.append(dict(info, seg_map_path=str(path)))

    def __len__(self):
        return len(self.infos)

    def get_data_info(self, index):
        return self.infos[index]


def mask(*values, side=8):
    flat = np.resize(np.array(values, dtype=np.uint8), side * side)
    return flat.reshape(side, side)


def test_good_masks(tmp_path, warnings):
    check_masks(Masks(tmp_path, mask(0, 1, 255), mask(2)), 3)
    assert not warnings


def test_label_that_is_no_class(tmp_path):
    dataset = Masks(tmp_path, mask(0, 1), mask(0, 3, 7))
    with pytest.raises(ValueError, match=r'1\.png .*\[3, 7\].*3 classes'):
        check_masks(dataset, 3)


@pytest.mark.parametrize(('value', 'fits'), [(3, True), (4, False)])
def test_zero_label_is_reduced_first(tmp_path, value, fits, warnings):
    dataset = Masks(tmp_path, mask(0, value, 255), reduce_zero_label=True)
    if fits:
        check_masks(dataset, 3)
    else:
        with pytest.raises(ValueError, match=r'label values \[3\]'):
            check_masks(dataset, 3)


def test_labels_are_mapped_first(tmp_path):
    dataset = Masks(tmp_path, mask(0, 7), label_map={0: 0, 7: 1})
    check_masks(dataset, 2)


@pytest.mark.parametrize('num_classes', [1, 2])
def test_white_for_one(tmp_path, warnings, num_classes):
    check_masks(Masks(tmp_path, mask(0, 255)), num_classes)
    # With one class, 255 can only mean what is ignored.
    assert len(warnings) == num_classes - 1
    assert all('write it as 1' in message for message in warnings)


@pytest.mark.parametrize('channels', [3, 4])
def test_coloured_mask(tmp_path, channels):
    colours = np.zeros((8, 8, channels), dtype=np.uint8)
    with pytest.raises(ValueError, match=f'0.png has {channels} channels'):
        check_masks(Masks(tmp_path, colours), 3)


def test_palette_mask_is_one_channel(tmp_path):
    dataset = Masks(tmp_path, mask(0))
    picture = Image.fromarray(mask(0, 5), 'P')
    picture.putpalette([value for value in range(256) for _ in range(3)])
    picture.save(dataset.infos[0]['seg_map_path'])
    with pytest.raises(ValueError, match=r'label values \[5\]'):
        check_masks(dataset, 3)
    check_masks(dataset, 6)


def test_masks_are_read_evenly(tmp_path):
    masks = [mask(0)] * 9
    for bad, seen in ((0, True), (4, True), (8, True), (3, False)):
        dataset = Masks(tmp_path, *masks[:bad], mask(9), *masks[bad + 1 :])
        if seen:
            with pytest.raises(ValueError, match=rf'/{bad}\.png'):
                check_masks(dataset, 2, num_samples=3)
        else:
            check_masks(dataset, 2, num_samples=3)


def test_other_data_have_no_masks():
    check_masks(object(), 3)
    check_masks([], 3)


HEADS = [
    ('cls', 'model.head.num_classes', 2),
    ('det', 'model.bbox_head.num_classes', 2),
    ('ins', 'model.roi_head.bbox_head.num_classes', 2),
    ('ins', 'model.roi_head.mask_head.num_classes', 2),
    ('seg', 'model.decode_head.num_classes', 3),
]


@pytest.mark.parametrize('change', [-1, 1])
@pytest.mark.parametrize(('task', 'key', 'classes'), HEADS)
def test_head_of_another_size(scenes, command, task, key, classes, change):
    number = classes + change
    cfg = tiny_config(task, scenes, **{key: number})
    with pytest.raises(ValueError) as error:
        command('train', cfg)
    data = f'train_dataloader.dataset has {classes} classes'
    assert f'{key} is {number}, but {data}' in str(error.value)


def test_validation_data_of_other_classes(scenes, own_scenes, command):
    cfg = tiny_config('cls', scenes)
    (own_scenes / 'folders/val/third').mkdir()
    square = own_scenes / 'folders/val/square/val_0.jpg'
    square.rename(own_scenes / 'folders/val/third/val_0.jpg')
    cfg.val_dataloader.dataset.data_root = str(own_scenes / 'folders')
    with pytest.raises(ValueError, match='val_dataloader.dataset has 3'):
        command('train', cfg)


def test_test_data_of_other_classes(scenes, own_scenes, command):
    cfg = tiny_config('cls', scenes)
    work_dir = command('train', cfg)
    for path in (own_scenes / 'folders/val/square').iterdir():
        path.unlink()
    (own_scenes / 'folders/val/square').rmdir()
    cfg.test_dataloader.dataset.data_root = str(own_scenes / 'folders')
    with pytest.raises(ValueError, match='test_dataloader.dataset has 1'):
        command('test', cfg, work_dir / 'epoch_2.pth')


def test_masks_are_checked_before_training(own_scenes, command):
    path = own_scenes / 'ann_dir/val/val_2.png'
    Image.fromarray(mask(0, 9, side=SIDE)).save(path)
    with pytest.raises(ValueError, match=str(path)):
        command('train', tiny_config('seg', own_scenes))


def test_checks_can_be_turned_off(scenes, command):
    cfg = tiny_config('cls', scenes, model__head__num_classes=5)
    cfg.default_hooks.check_data = None
    assert (command('train', cfg) / 'epoch_2.pth').is_file()


def test_empty_data_set_says_where_it_looked(scenes, command):
    cfg = tiny_config('seg', scenes)
    cfg.train_dataloader.dataset.img_suffix = '.tif'
    with pytest.raises(ValueError) as error:
        command('train', cfg)
    for part in ('.tif', str(scenes), 'img_dir/train'):
        assert part in str(error.value)


def test_maps_of_a_semantic_branch_have_classes_of_their_own(
    tmp_path, warnings
):
    check_masks(Masks(tmp_path, mask(0, 181, 255), instances=[]), 80)
    assert not warnings


@pytest.mark.parametrize(
    'wrong',
    [
        *(dict(gt_label=label) for label in (3, -1, [0, 3])),
        dict(instances=[dict(bbox_label=3)]),
    ],
)
def test_labels_that_are_no_class(tmp_path, wrong):
    class Data(list):
        metainfo = dict(classes=('a', 'b', 'c'))
        get_data_info = list.__getitem__

    path = tmp_path / '0.jpg'
    path.touch()
    good = dict(img_path=str(path), gt_label=2)
    check_samples(Data([good]))
    with pytest.raises(ValueError, match='0.jpg has .*3 classes, 0 to 2'):
        check_samples(Data([good, {**good, 'gt_label': None, **wrong}]))


def test_labels_without_names_of_classes(command, own_scenes):
    lines = [
        f'{path.relative_to(own_scenes / "folders/train")} {2 * number}'
        for number, path in enumerate(
            sorted((own_scenes / 'folders/train').rglob('*.jpg'))[:2]
        )
    ]
    (own_scenes / 'train.txt').write_text('\n'.join(lines))
    file = dict(train_dataloader__dataset__ann_file='../train.txt')
    with pytest.raises(ValueError, match='jpg has 2. There are 2 classes'):
        command('train', tiny_config('cls', own_scenes, **file))
