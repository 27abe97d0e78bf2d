"""Evaluators of other data, subsets, and names of metrics."""

from types import SimpleNamespace

import pytest
from mmdet.evaluation import CocoMetric
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmpretrain.evaluation import Accuracy
from mmseg.evaluation import IoUMetric
from torch import nn

from mmvit.engine.guards import evaluators
from mmvit.engine.guards.evaluators import (
    check_evaluator,
    check_monitored,
    monitored,
    monitored_in,
)

IMAGES = {n: dict(id=n, file_name=f'{n}.jpg') for n in range(4)}


class Data:
    """Like a data set of mmdet, with a part of the images."""

    ann_file = 'truth.json'

    def __init__(self, *numbers):
        self.infos = [
            dict(img_id=n, img_path=f'images/{n}.jpg', instances=[])
            for n in numbers
        ]

    def __len__(self):
        return len(self.infos)

    def get_data_info(self, index):
        return self.infos[index]


def coco(**options):
    metric = CocoMetric(**options)
    metric._coco_api = SimpleNamespace(
        imgs=IMAGES, dataset=dict(annotations=[dict(id=3)])
    )
    return metric


def check(metric, data):
    model = nn.ModuleDict(dict(mask_head=nn.Identity()))
    check_evaluator([metric], data, data.infos, 'test', model)


def test_a_subset_is_measured_by_itself(monkeypatch):
    logged = []
    monkeypatch.setattr(evaluators, 'warn', logged.append)
    metric = coco()
    check(metric, Data(0, 1, 2, 3))
    assert metric.img_ids is None and not logged
    check(metric, Data(3, 1))
    assert metric.img_ids == [1, 3]
    assert 'has 2 of the 4 images of test_evaluator.ann_file' in logged[0]


def test_another_annotation_file():
    data = Data(0, 1)
    data.infos[1]['img_path'] = 'images/other.jpg'
    with pytest.raises(ValueError) as error:
        check(coco(), data)
    for part in ('test_evaluator.ann_file', 'truth.json', 'other.jpg'):
        assert part in str(error.value)
    with pytest.raises(ValueError, match='image 9 of the data set'):
        check(coco(), Data(9))


def test_masks_to_measure():
    with pytest.raises(ValueError, match='1 objects .* annotations 3'):
        check(coco(metric=['bbox', 'segm']), Data(0))


@pytest.mark.parametrize('metric', [IoUMetric(), Accuracy()])
def test_another_task(metric):
    with pytest.raises(ValueError, match='has boxes: set an evaluator'):
        check(metric, Data(0))


def test_a_test_that_only_writes_passes():
    metric = CocoMetric(format_only=True, outfile_prefix='x')
    data = Data(0)
    data.infos[0].pop('instances')
    check(metric, data)


class OwnMetric(BaseMetric):
    def process(self, data_batch, data_samples):
        raise NotImplementedError

    compute_metrics = process


def follow(metrics, save_best=None, stop_at=None, follows=None, val_cfg=...):
    val_cfg = dict() if val_cfg is ... else val_cfg
    hooks = [CheckpointHook(save_best=save_best, rule='greater')]
    if stop_at:
        hooks.append(EarlyStoppingHook(monitor=stop_at, rule='greater'))
    schedules = [SimpleNamespace(monitor=follows)] if follows else []
    check_monitored(monitored(hooks, schedules), metrics, val_cfg)
    cfg = Config(
        dict(
            default_hooks=dict(checkpoint=dict(save_best=save_best), x=None),
            custom_hooks=[dict(type='EarlyStoppingHook', monitor=stop_at)],
            param_scheduler=[dict(type='ReduceOnPlateauLR', monitor=follows)],
        )
    )
    names = [name for _, name in monitored(hooks, schedules)]
    assert [name for _, name in monitored_in(cfg)] == names


@pytest.mark.parametrize(
    ('metric', 'good', 'bad', 'hint'),
    [
        (CocoMetric(), 'coco/bbox_mAP_50', 'bbox_mAP', 'coco/bbox_mAP'),
        (CocoMetric(metric='segm'), 'coco/segm_mAP', 'coco/bbox_mAP', 'coco'),
        (IoUMetric(), 'mIoU', 'mIou', 'mIoU'),
        (IoUMetric(iou_metrics=['mDice']), 'mDice', 'mIoU', 'mDice'),
        (Accuracy(topk=(1, 5)), 'accuracy/top5', 'top1', 'accuracy/top1'),
    ],
)
def test_metrics_that_are_not_measured(metric, good, bad, hint):
    follow([metric], good)
    follow([metric], 'auto')
    follow([metric, OwnMetric()], bad)
    with pytest.raises(ValueError) as error:
        follow([metric], bad)
    text = str(error.value)
    assert text.startswith('default_hooks.checkpoint.save_best is ')
    assert hint in text and good in text
    with pytest.raises(ValueError, match='EarlyStoppingHook.monitor'):
        follow([metric], stop_at=bad)
    with pytest.raises(ValueError, match='param_scheduler'):
        follow([metric], follows=bad)


@pytest.mark.parametrize('name', ['val_loss', 'loss', 'decode.loss_ce'])
def test_losses_are_measured_by_their_loop(name):
    metric = IoUMetric()
    loop = dict(type='mmvit.ValLossLoop')
    follow([metric], name, follows=name, val_cfg=loop)
    for asked in (dict(save_best=name), dict(follows=name)):
        with pytest.raises(ValueError, match='ValLossLoop'):
            follow([metric], **asked, val_cfg=dict(type='ValLoop'))


def test_names_of_classes():
    metric = CocoMetric(classwise=True)
    metric.dataset_meta = dict(classes=('cat',))
    follow([metric], 'coco/cat_precision')
    with pytest.raises(ValueError, match='did you mean coco/cat_precision'):
        follow([metric], 'coco/cat_precison')


def test_a_best_checkpoint_without_validation(monkeypatch):
    logged = []
    monkeypatch.setattr(evaluators, 'warn', logged.append)
    follow([], 'mIoU', val_cfg=None)
    assert 'save_best is' in logged[0] and 'without val_cfg' in logged[0]


def test_masks_of_a_detector_of_boxes(monkeypatch):
    data, metric = Data(0), coco(metric='segm')
    # Its annotations have no masks, which would be an error.
    monkeypatch.setattr(metric._coco_api, 'dataset', {})
    told = []
    monkeypatch.setattr(evaluators, 'warn', told.append)
    check_evaluator([metric], data, data.infos, 'val', nn.Identity())
    assert 'no part of the model' in told[0]
    told.clear()
    model = nn.ModuleDict(dict(mask_head=nn.Identity()))
    check_evaluator([metric], data, data.infos, 'val', model)
    assert not told


def test_categories_in_another_order():
    data, metric = Data(0), coco()
    data.metainfo = dict(classes=('a', 'b'))
    metric._coco_api.cats = {1: dict(name='b'), 2: dict(name='a')}
    with pytest.raises(ValueError, match='take one for another'):
        check(metric, data)
    metric._coco_api.cats = {n: dict(name=n) for n in ('a', 'c', 'b')}
    check(metric, data)


def test_an_unknown_kind_of_metric():
    data = Data()
    data.infos = [dict(seg_map_path='x.png')]
    with pytest.raises(ValueError, match="iou_metrics has 'IoU'"):
        check(IoUMetric(iou_metrics=['IoU']), data)


def test_another_truth_of_the_same_images():
    data, metric = Data(0), coco()
    data.infos[0]['instances'] = [dict(bbox=[4, 4, 12, 20])]
    metric._coco_api.imgToAnns = {0: [dict(bbox=[4, 4, 8, 16])]}
    check(metric, data)
    metric._coco_api.imgToAnns = {0: []}
    with pytest.raises(ValueError, match='has other boxes of images/0.jpg'):
        check(metric, data)


def test_truth_that_nobody_has():
    class Samples(Data):
        truth: tuple = ()

        def __getitem__(self, index):
            return dict(data_samples=self.truth)

    data, metric = Samples(0), CocoMetric()
    with pytest.raises(ValueError, match='test_evaluator has no ann_file'):
        check(metric, data)
    data.truth = ('instances',)
    check(metric, data)
