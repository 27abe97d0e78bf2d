"""tools/analysis_tools/check_dataset.py: every file of a data set."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.helpers import load_tool
from tests.support.tiny import TASKS, tiny_config, write_config

tool = load_tool('analysis_tools/check_dataset')


@pytest.fixture
def check(own_scenes, tmp_path, plain_dumps, fresh_runs, capsys):
    """Check a task's tiny data set: returns the exit code and the text."""

    def run(task, *args, **options):
        config = tiny_config(task, own_scenes, **options)
        path = write_config(config, tmp_path / 'config.py')
        code = tool.main([path, *args])
        return code, capsys.readouterr().out

    return run


@pytest.mark.parametrize('task', TASKS)
def test_nothing_wrong(check, task):
    code, text = check(task)
    assert code == 0
    assert 'train: 8 samples' in text and 'val: 4 samples' in text
    assert text.count('nothing wrong') == 2


@pytest.mark.parametrize('task', TASKS)
def test_unreadable_images(check, own_scenes, task, tmp_path):
    folder = own_scenes / ('folders' if task == 'cls' else 'img_dir')
    for index in (1, 3):
        (path,) = (folder / 'train').rglob(f'train_{index}.jpg')
        path.write_bytes(b'')
    out = tmp_path / 'new/folder/problems.txt'
    code, text = check(task, '--shown', '1', '--out', str(out))
    assert code == 1
    assert 'error: 2 x image that cannot be read' in text
    assert 'train_1.jpg' in text and 'and 1 more' in text
    assert 'train_3.jpg' in out.read_text()


def test_masks(check, own_scenes):
    folder = own_scenes / 'ann_dir/train'
    Image.fromarray(np.full((64, 64), 9, np.uint8)).save(
        folder / 'train_0.png'
    )
    Image.open(folder / 'train_1.png').convert('RGB').save(
        folder / 'train_1.png'
    )
    (folder / 'train_2.png').write_bytes(b'')
    (folder / 'train_3.png').unlink()
    code, text = check('seg')
    assert code == 1
    assert 'error: 2 x mask with wrong values' in text
    assert 'label values [9]' in text and '3 channels' in text
    assert 'error: 1 x mask that cannot be read' in text
    assert 'error: 1 x missing file' in text


def change(root, function):
    path = root / 'train.json'
    content = json.loads(path.read_text())
    function(content)
    path.write_text(json.dumps(content))


def test_annotations(check, own_scenes):
    def spoil(content):
        content['images'][0]['width'] = 99
        content['annotations'] = [
            a for a in content['annotations'] if a['image_id'] not in (2, 3)
        ]

    change(own_scenes, spoil)
    code, text = check('det')
    assert code == 1
    assert 'size is not the one of the annotations' in text
    assert 'train_0.jpg: 64 x 64, not 64 x 99' in text
    assert 'note: 2 x image without an object' in text


def test_objects_that_mmdet_leaves_out(check, own_scenes):
    def spoil(content):
        first, second, third, fourth = content['annotations'][:4]
        first['bbox'][2] = 0
        second['bbox'][0] = 900
        third['segmentation'] = []
        fourth['area'] = 0

    change(own_scenes, spoil)
    code, text = check('ins', '--splits', 'train')
    assert code == 1
    for number, kind in enumerate(
        ('box without an area', 'outside of', 'without a mask', 'area is 0')
    ):
        assert kind in text
        assert f'annotation {number + 1} (train_{number // 2}.jpg)' in text


def test_two_images_of_one_id(check, own_scenes):
    change(own_scenes, lambda content: content['images'][1].update(id=0))
    code, text = check('det', '--splits', 'train')
    assert code == 1 and '0 (train_0.jpg, train_1.jpg)' in text


def test_a_file_that_mmdet_cannot_read(check, own_scenes):
    change(own_scenes, lambda content: content['images'][1].pop('id'))
    code, text = check('det', '--splits', 'train')
    assert code == 1 and 'train: cannot be read' in text
    assert "images without 'id'" in text


def test_sizes_of_masks(check, own_scenes):
    folder = own_scenes / 'ann_dir/train'
    mask = Image.open(folder / 'train_2.png')
    mask.resize((128, 128), 0).save(folder / 'train_2.png')
    code, text = check('seg', '--splits', 'train')
    assert code == 1 and 'mask of another size than its image' in text
    assert '64 x 64' in text and 'train_2.png: 128 x 128' in text


def test_images_that_make_no_batch(check, own_scenes):
    for part in ('img_dir/val/val_0.jpg', 'ann_dir/val/val_0.png'):
        with Image.open(own_scenes / part) as picture:
            picture.crop((0, 0, 64, 40)).save(own_scenes / part)
    steps = ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')
    options = dict(
        val_dataloader__dataset__pipeline=[dict(type=step) for step in steps],
        val_dataloader__batch_size=2,
    )
    code, text = check('seg', '--splits', 'val', **options)
    assert code == 1 and 'error: 1 x batch that cannot be made' in text
    assert 'val_0.jpg' in text and 'Set val_dataloader.batch_size=1' in text
    options['val_dataloader__batch_size'] = 1
    assert check('seg', '--splits', 'val', **options)[0] == 0


def test_images_that_exif_turns(check, own_scenes):
    path = own_scenes / 'img_dir/train/train_2.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(path).save(path, exif=exif)
    for task in ('seg', 'det'):
        code, text = check(task, '--splits', 'train')
        assert code == 0 and 'note: 1 x image that EXIF turns' in text
        assert 'train_2.jpg (EXIF orientation 6' in text


def test_masks_of_16_bits(check, own_scenes):
    path = own_scenes / 'ann_dir/train/train_2.png'
    Image.fromarray(np.full((64, 64), 258, np.uint16)).save(path)
    code, text = check('seg', '--splits', 'train')
    assert code == 1
    assert 'train_2.png has the label value 258' in text


def test_files_of_other_endings(check, own_scenes):
    path = own_scenes / 'img_dir/train/train_2.jpg'
    path.rename(path.with_suffix('.JPG'))
    code, text = check('seg', '--splits', 'train')
    assert code == 1
    assert 'left out: 1 x image that does not end with .jpg' in text


def test_class_that_never_occurs(check, own_scenes):
    def spoil(content):
        content['annotations'] = [
            a for a in content['annotations'] if a['category_id'] == 1
        ]

    change(own_scenes, spoil)
    code, text = check('ins', '--splits', 'train')
    assert code == 0
    assert 'note: 1 x class that never occurs\n    square' in text
    assert 'val' not in text


def test_misspelt_class(check):
    code, text = check(
        'det', train_dataloader__dataset__metainfo__classes=('round', 'sqare')
    )
    assert code == 1 and 'no category named sqare' in text


def test_classes_that_are_a_text(check):
    with pytest.raises(ValueError, match='train_dataloader.*the text'):
        check('seg', train_dataloader__dataset__metainfo__classes='round')


def test_stuff_maps_have_classes_of_their_own(check, own_scenes):
    folder = own_scenes / 'stuff'
    folder.mkdir()
    for index in range(8):
        labels = np.full((64, 64), 181 - index, np.uint8)
        Image.fromarray(labels).save(folder / f'train_{index}.png')
    options = dict(
        train_dataloader__dataset__data_prefix__seg='stuff',
        train_dataloader__dataset__seg_map_suffix='.png',
    )
    code, text = check('ins', '--splits', 'train', **options)
    assert code == 0 and 'nothing wrong' in text
    (folder / 'train_3.png').unlink()
    (folder / 'train_4.png').write_bytes(b'')
    code, text = check('ins', '--splits', 'train', **options)
    assert code == 1
    assert 'missing file' in text and 'mask that cannot be read' in text


def test_sets_for_a_server_need_no_truth(check, own_scenes):
    for path in (own_scenes / 'ann_dir/val').iterdir():
        path.unlink()
    code, text = check('seg', '--splits', 'test')
    assert code == 1 and '4 x missing file' in text
    code, text = check(
        'seg', '--splits', 'test', test_evaluator__format_only=True
    )
    assert code == 0 and 'test: 4 samples, 3 classes' in text


def test_detection_sets_for_a_server(check, own_scenes):
    content = json.loads((own_scenes / 'val.json').read_text())
    del content['annotations']
    (own_scenes / 'val.json').write_text(json.dumps(content))
    code, text = check('det', '--splits', 'test')
    assert code == 1 and 'no object at all' in text
    options = dict(
        test_evaluator__format_only=True, test_evaluator__outfile_prefix='x'
    )
    code, text = check('det', '--splits', 'test', **options)
    assert code == 0 and 'nothing wrong' in text


def test_classes_without_names(check, own_scenes):
    folder = own_scenes / 'folders/train'
    lines = [
        f'{path.relative_to(folder)} {number % 2}'
        for number, path in enumerate(sorted(folder.rglob('*.jpg')))
    ]
    (own_scenes / 'folders/list.txt').write_text('\n'.join(lines))
    options = dict(train_dataloader__dataset__ann_file='list.txt')
    code, text = check('cls', '--splits', 'train', **options)
    assert code == 0 and 'train: 8 samples, unnamed classes' in text


def test_token_label_maps(check, own_scenes, tmp_path):
    step = dict(type='mmvit.LoadTokenLabels', root=str(tmp_path / 'maps'))
    pipeline = [dict(type='LoadImageFromFile'), step]
    options = dict(train_dataloader__dataset__pipeline=pipeline)
    images = sorted((own_scenes / 'folders/train').rglob('*.jpg'))
    for index, path in enumerate(images[1:]):
        maps = tmp_path / 'maps' / path.parent.name
        maps.mkdir(parents=True, exist_ok=True)
        shape = (2, 1, 2, 2) if index else (1, 2, 2)
        torch.save(torch.zeros(shape), maps / f'{path.stem}.pt')
    code, text = check('cls', '--splits', 'train', **options)
    assert code == 1
    assert 'error: 2 x label map that cannot be used' in text
    assert 'has no label map' in text and 'tensor (1, 2, 2)' in text


def test_masks_of_0_and_255(check, own_scenes):
    for path in (own_scenes / 'ann_dir/train').iterdir():
        mask = (np.array(Image.open(path)) > 0) * np.uint8(255)
        Image.fromarray(mask).save(path)
    code, text = check('seg', '--splits', 'train')
    assert code == 0 and 'if it means a class, write it as 1' in text


def test_nothing_but_crowds(check, own_scenes):
    def spoil(content):
        for one in content['annotations']:
            one['iscrowd'] = 1

    change(own_scenes, spoil)
    code, text = check('det', '--splits', 'train')
    assert code == 1 and 'error: 1 x no object at all' in text


def test_a_broken_split_does_not_hide_another(check, own_scenes):
    (own_scenes / 'train.json').write_text('{')
    code, text = check('det', '--splits', 'train', 'val')
    assert code == 1 and 'train.json is cut off' in text
    assert 'val: 4 samples' in text


def test_sets_without_a_sample_or_a_loader(check, own_scenes):
    for path in (own_scenes / 'img_dir/train').iterdir():
        path.rename(path.with_suffix('.JPG'))
    code, text = check('seg', val_dataloader=None)
    assert code == 1 and 'BaseSegDataset found no sample with' in text
    assert 'val: the config has no val_dataloader' in text


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('val_evaluator__ann_file', '{}/train.json', 'image 0 .* val_0.jpg'),
        ('val_evaluator__ann_file', '{}/no.json', 'no.json. does not exist'),
        ('val_evaluator__metric', 'no', 'cannot be built\n.*metric should be'),
        ('val_evaluator__type', 'CocoMetrik', 'did you mean CocoMetric'),
        (
            'default_hooks__checkpoint__save_best',
            'bbox_mAP',
            'metric that is not measured\n.*did you mean coco/bbox_mAP',
        ),
        ('model__bbox_head__num_classes', 9, 'num_classes is 9, but val_data'),
        ('model__bbox_head__num_classes', 'x', 'the model cannot be built: '),
    ],
)
def test_a_config_that_does_not_fit(check, own_scenes, key, value, message):
    if isinstance(value, str):
        value = value.format(own_scenes)
    code, text = check('det', '--splits', 'val', **{key: value})
    assert re.search(message, text)
    assert code == (value != 'x')


def test_evaluators_of_other_categories_and_tasks(check, own_scenes):
    content = json.loads((own_scenes / 'val.json').read_text())
    content['categories'].reverse()
    path = own_scenes / 'other.json'
    path.write_text(json.dumps(content))
    other = [
        dict(type='CocoMetric', ann_file=str(path)),
        dict(type='mmseg.IoUMetric'),
    ]
    code, text = check('det', '--splits', 'test', test_evaluator=other)
    assert code == 1 and '2 x evaluator that does not fit' in text
    assert 'categories as square, round' in text
    assert 'compares label maps, and test_dataloader.dataset has box' in text
