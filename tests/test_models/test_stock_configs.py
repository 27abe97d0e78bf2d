"""One backbone dict inside stock configs of three libraries."""

import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample

from mmvit.apis.config import build_model, load_config

BACKBONE = dict(type='mmvit.PVT', arch='tiny', drop_path_rate=0.1)
WIDTHS = [64, 128, 320, 512]


def stock(path: str, model: dict) -> Config:
    cfg = load_config(path)
    model['backbone'] = dict(BACKBONE, _delete_=True, **model['backbone'])
    cfg.merge_from_dict(dict(model=model))
    return cfg


def detection_batch(model: torch.nn.Module) -> dict:
    batch = demo_mm_inputs(2, [[3, 128, 160], [3, 96, 128]])
    return model.data_preprocessor(batch, training=True)


def segmentation_batch(model: torch.nn.Module) -> dict:
    labels = PixelData(data=torch.randint(0, 19, (1, 128, 128)))
    samples = [SegDataSample(gt_sem_seg=labels) for _ in range(2)]
    return dict(inputs=torch.rand(2, 3, 128, 128), data_samples=samples)


def classification_batch(model: torch.nn.Module) -> dict:
    samples = [DataSample().set_gt_label(label) for label in (3, 7)]
    return dict(inputs=torch.rand(2, 3, 64, 96), data_samples=samples)


@pytest.mark.parametrize(
    ('path', 'model', 'batch'),
    [
        (
            'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
            dict(backbone={}, neck=dict(in_channels=WIDTHS)),
            detection_batch,
        ),
        (
            'mmseg::sem_fpn/fpn_r50_4xb2-80k_cityscapes-512x1024.py',
            dict(backbone={}, neck=dict(in_channels=WIDTHS), pretrained=None),
            segmentation_batch,
        ),
        (
            'mmpretrain::resnet/resnet18_8xb32_in1k.py',
            dict(backbone=dict(with_cls_token=True), neck=None),
            classification_batch,
        ),
    ],
    ids=['mmdet', 'mmseg', 'mmpretrain'],
)
def test_forward_and_backward(path, model, batch):
    torch.manual_seed(0)
    built = build_model(stock(path, model)).train()
    assert type(built.backbone).__module__ == 'mmvit.models.backbones.pvt'
    losses = built(**batch(built), mode='loss')
    total = sum(
        value.mean() if isinstance(value, torch.Tensor) else sum(value)
        for name, value in losses.items()
        if 'loss' in name
    )
    total.backward()
    assert total.isfinite()
    for name, param in built.backbone.named_parameters():
        assert param.grad is not None and param.grad.isfinite().all(), name
