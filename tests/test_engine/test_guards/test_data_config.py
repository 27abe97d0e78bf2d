"""What a config alone tells about its data."""

import json

import pytest
from mmengine.registry import init_default_scope

from mmvit.engine.guards import data_config
from mmvit.engine.guards.data_config import check_categories, check_paths
from tests.support.scenes import CLASSES
from tests.support.tiny import tiny_config


@pytest.fixture
def warnings(monkeypatch):
    """What the checks log."""
    messages = []
    monkeypatch.setattr(
        data_config, 'print_log', lambda text, **_: messages.append(text)
    )
    return messages


def coco(root, **changes):
    return dict(
        type='CocoDataset',
        data_root=str(root),
        ann_file='train.json',
        **changes,
    )


def test_every_missing_path_is_named(tmp_path):
    (tmp_path / 'here').mkdir()
    dataset = dict(
        type='CocoDataset',
        data_root=str(tmp_path / 'here'),
        ann_file='a.json',
        data_prefix=dict(img='images/', seg=''),
    )
    with pytest.raises(FileNotFoundError) as error:
        check_paths('train_dataloader', dict(dataset=dataset))
    text = str(error.value)
    here = tmp_path / 'here'
    for line in (
        f"train_dataloader.dataset.ann_file = '{here}/a.json'",
        f"train_dataloader.dataset.data_prefix.img = '{here}/images/'",
    ):
        assert line in text
    assert 'data_root' not in text, 'it is there'
    assert 'prefix.seg' not in text, 'it is not used'


def test_paths_inside_wrappers_are_named(tmp_path):
    inner = dict(type='CustomDataset', data_prefix=str(tmp_path / 'no'))
    wrapped = dict(
        type='RepeatDataset',
        dataset=dict(type='ConcatDataset', datasets=[inner, dict(inner)]),
    )
    with pytest.raises(FileNotFoundError) as error:
        check_paths('val_dataloader', dict(dataset=wrapped))
    for index in (0, 1):
        key = f'val_dataloader.dataset.dataset.datasets[{index}].data_prefix'
        assert f"{key} = '{tmp_path}/no'" in str(error.value)


@pytest.mark.parametrize(
    'dataset',
    [
        dict(type='CocoDataset', data_root='s3://bucket/coco'),
        dict(
            type='CocoDataset',
            data_root='nowhere',
            backend_args=dict(backend='petrel'),
        ),
        dict(type='CIFAR10', data_prefix='downloads/itself'),
        dict(type='BaseDataset'),
    ],
)
def test_paths_elsewhere_are_not_looked_for(dataset):
    check_paths('train_dataloader', dict(dataset=dataset))


def test_no_dataloader_has_no_paths():
    for dataloader in (None, object(), dict(dataset=object())):
        check_paths('val_dataloader', dataloader)


@pytest.mark.parametrize('task', ['cls', 'det', 'ins', 'seg'])
def test_existing_data_pass(scenes, task, fresh_runs):
    cfg = tiny_config(task, scenes)
    init_default_scope(cfg.default_scope)
    for name in ('train_dataloader', 'val_dataloader'):
        check_paths(name, cfg[name])
        check_categories(cfg[name].dataset)


def test_misspelt_class(scenes):
    dataset = coco(scenes, metainfo=dict(classes=('round', 'sqare')))
    with pytest.raises(ValueError, match='no category named sqare') as error:
        check_categories(dataset)
    assert 'It has: round, square' in str(error.value)
    assert f'{scenes}/train.json' in str(error.value)


def test_order_of_the_classes(scenes):
    dataset = coco(scenes, metainfo=dict(classes=CLASSES[::-1]))
    with pytest.raises(ValueError, match='round, square.*square, round'):
        check_categories(dataset)
    # Inside a wrapper too
    with pytest.raises(ValueError, match='same order'):
        check_categories(dict(type='RepeatDataset', times=2, dataset=dataset))


def test_classes_that_the_type_declares(scenes, fresh_runs):
    init_default_scope('mmdet')
    with pytest.raises(ValueError, match='no category named person'):
        check_categories(coco(scenes))


@pytest.mark.parametrize('classes', [('square',), 'square'])
def test_left_out_classes_are_reported(scenes, warnings, classes):
    check_categories(coco(scenes, metainfo=dict(classes=classes)))
    (message,) = warnings
    assert 'objects of round are left out' in message


def test_large_files_are_not_read_twice(scenes, monkeypatch):
    monkeypatch.setattr(data_config, '_LARGE_FILE', 100)
    check_categories(coco(scenes, metainfo=dict(classes=('sqare',))))


@pytest.mark.parametrize('content', [[], dict(images=[]), dict(data=1)])
def test_other_files_pass(tmp_path, content):
    (tmp_path / 'train.json').write_text(json.dumps(content))
    check_categories(coco(tmp_path, metainfo=dict(classes=('a',))))
