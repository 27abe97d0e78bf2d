"""What a config alone tells about its data."""

import pytest
from mmengine.registry import init_default_scope

from mmvit.engine.guards.data_config import (
    annotation_findings,
    check_classes,
    check_paths,
    check_truth,
    data_error,
)
from tests.support.scenes import CLASSES
from tests.support.tiny import tiny_config


def coco(root, **changes):
    return dict(
        type='mmdet.CocoDataset',
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
        check_classes(f'{name}.dataset', cfg[name].dataset)
        assert not list(annotation_findings(cfg[name].dataset))


def texts(dataset):
    return [
        f'{one.severity}: {one.text}. {one.cure}'
        for one in annotation_findings(dataset)
    ]


def test_misspelt_class(scenes):
    (text,) = texts(coco(scenes, metainfo=dict(classes=('round', 'sqare'))))
    assert text.startswith('error: ')
    assert f'{scenes}/train.json has no category named sqare' in text
    assert 'It has: round, square' in text


def test_order_of_the_classes(scenes):
    dataset = coco(scenes, metainfo=dict(classes=CLASSES[::-1]))
    # Inside a wrapper too
    for one in (dataset, dict(type='RepeatDataset', dataset=dataset)):
        (text,) = texts(one)
        assert text.startswith('error: ') and 'not as square, round' in text


def test_classes_that_the_type_declares(scenes):
    (text,) = texts(coco(scenes))
    assert 'no category named person' in text


def test_left_out_classes_are_reported(scenes):
    (text,) = texts(coco(scenes, metainfo=dict(classes=('square',))))
    assert text.startswith('note: ')
    assert 'objects of round are left out' in text


def test_masks_are_checked_where_the_pipeline_loads_them(own_scenes):
    path = own_scenes / 'train.json'
    path.write_text(path.read_text().replace('"segmentation"', '"outline"'))
    for masks in (False, True):
        steps = [dict(type='LoadAnnotations', with_mask=masks)]
        found = texts(
            coco(own_scenes, metainfo=dict(classes=CLASSES), pipeline=steps)
        )
        assert len(found) == 16 * masks


@pytest.mark.parametrize('where', ['metainfo', 'argument'])
def test_classes_that_are_a_text(where):
    inner = dict(type='CustomDataset')
    (inner if where == 'argument' else inner.setdefault('metainfo', {}))[
        'classes'
    ] = 'road'
    dataset = dict(type='RepeatDataset', dataset=inner)
    with pytest.raises(ValueError) as error:
        check_classes('train_dataloader.dataset', dataset)
    text = str(error.value)
    assert "classes is the text 'road'" in text and "('road',)" in text
    assert text.startswith('train_dataloader.dataset.dataset.')


@pytest.mark.parametrize(
    'classes',
    [{'road', 'sky'}, dict(road=1), (), 5],
    ids=['set', 'dict', 'empty', 'number'],
)
def test_classes_that_are_no_list(classes):
    with pytest.raises(ValueError, match='train.metainfo.classes is .*tuple'):
        check_classes('train', dict(metainfo=dict(classes=classes)))
    with pytest.raises(ValueError, match='train.metainfo is '):
        check_classes('train', dict(metainfo=('road', 'sky')))


def test_two_classes_of_one_name(scenes, fresh_runs):
    metainfo = dict(classes=('round', 'round'))
    (finding,) = annotation_findings(coco(scenes, metainfo=metainfo))
    assert finding.kind == 'classes of which two have one name'


def test_numbers_as_classes(scenes, fresh_runs):
    metainfo = dict(classes=(0, 1))
    (finding,) = annotation_findings(coco(scenes, metainfo=metainfo))
    assert 'no category named 0, 1' in finding.text


def test_files_that_cannot_be_read_are_findings(own_scenes, fresh_runs):
    (own_scenes / 'train.json').write_text('{"images"')
    (finding,) = annotation_findings(coco(own_scenes))
    assert 'train.json is cut off' in finding.text


def test_the_evaluator_s_file(tmp_path):
    path = str(tmp_path / 'a.json')
    with pytest.raises(FileNotFoundError, match='val_evaluator.ann_file'):
        check_truth('val', [dict(type='CocoMetric', ann_file=path)])
    (tmp_path / 'a.json').touch()
    check_truth('val', dict(ann_file=path))
    check_truth('val', dict(ann_file='s3://bucket/a.json'))


def test_a_file_of_classes_is_no_text(tmp_path):
    path = tmp_path / 'classes.txt'
    path.write_text('road')
    check_classes('a', dict(metainfo=dict(classes=str(path))))


def test_only_empty_data_sets_are_named(scenes, fresh_runs):
    cfg = tiny_config('seg', scenes)
    init_default_scope(cfg.default_scope)
    full = cfg.train_dataloader.dataset
    empty = dict(full, img_suffix='.tif')
    both = dict(type='ConcatDataset', datasets=[full, empty])
    assert data_error(full) is None
    text = str(data_error(both))
    assert text.count('found no sample') == 1
    assert "img_suffix='.tif'" in text


@pytest.mark.parametrize('line', ['b.png', 'b.png cat', 'b.png\t1', ''])
def test_a_line_without_a_label_is_named(line, tmp_path):
    path = tmp_path / 'train.txt'
    path.write_text(f'a.png 0\n{line}\n')
    part = dict(
        type='mmpretrain.CustomDataset', data_root='', ann_file=str(path)
    )
    dataset = dict(type='RepeatDataset', dataset=part)
    error = str(data_error(dataset))
    assert error.startswith(f'{path}, line 2: {line!r} is not the name')
    path.write_text('a.png 0\nfolder/b c.png 1\n')
    assert data_error(dataset) is None
    path.write_text('a.png\n')
    part['with_label'] = False
    assert data_error(dataset) is None
