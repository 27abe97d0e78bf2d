"""PVT's published dense models: the published function."""

import pytest
import torch
from mmdet.structures import DetDataSample
from torch import nn

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import convert

from . import dense_naive, dense_shapes
from .detr_naive import detr
from .naive import Weights
from .published import random_weights

SHAPES = {
    'RetinaNet': dense_shapes.retinanet_shapes,
    'Mask R-CNN': dense_shapes.mask_rcnn_shapes,
    'DETR': dense_shapes.detr_shapes,
    'Semantic FPN': dense_shapes.semantic_fpn_shapes,
}
SIZE = (64, 96)


def converted(task: str, arch: str) -> tuple[Weights, nn.Module]:
    """Published weights, and the model of the config that is named."""
    weights = random_weights(SHAPES[task](arch))
    done = convert(weights, 'pvt')
    assert done.task == task
    assert not (done.left_out or done.options)
    config = load_config(done.config)
    for part in (config.model, config.model.get('decode_head', {})):
        if part.get('norm_cfg'):
            part.norm_cfg = dict(type='BN')
    model = build_model(config).eval()
    model.load_state_dict(done.weights, strict=True)
    return Weights(weights), model


def assert_same(ours, theirs) -> None:
    for a, b in zip(ours, theirs, strict=True):
        assert b.std() > 0.01
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_retinanet_gives_the_published_function():
    net, model = converted('RetinaNet', 'tiny')
    image = torch.rand(1, 3, *SIZE)
    theirs = dense_naive.retinanet(
        net, dense_naive.pvt_maps(net, image, 'tiny')
    )
    for ours, expected in zip(model(image, mode='tensor'), theirs):
        assert_same(ours, expected)


@torch.no_grad()
def test_mask_rcnn_gives_the_published_function():
    """Backbone, pyramid and the three heads before any selection."""
    net, model = converted('Mask R-CNN', 'tiny')
    image = torch.rand(1, 3, *SIZE)
    theirs = dense_naive.rpn(net, dense_naive.pvt_maps(net, image, 'tiny'))
    ours = model.rpn_head(model.extract_feat(image))
    for out, expected in zip(ours, theirs):
        assert_same(out, expected)
    regions = torch.randn(2, 256, 7, 7)
    assert_same(
        model.roi_head.bbox_head(regions), dense_naive.box_head(net, regions)
    )
    regions = torch.randn(2, 256, 14, 14)
    assert_same(
        [model.roi_head.mask_head(regions)],
        [dense_naive.mask_head(net, regions)],
    )


@torch.no_grad()
def test_detr_gives_the_published_function():
    """An image of 50x70 pixels, padded to a multiple of 32 as released."""
    net, model = converted('DETR', 'small')
    sample = DetDataSample(metainfo=dict(img_shape=(50, 70)))
    data = dict(
        inputs=[torch.randint(256, (3, 50, 70))], data_samples=[sample]
    )
    data = model.data_preprocessor(data)
    image, samples = data['inputs'], data['data_samples']
    assert image.shape[2:] == SIZE
    last_map = dense_naive.pvt_maps(net, image, 'small')[-1]
    # The mask of the image's pixels, at the map's places
    inside = torch.zeros(SIZE)
    inside[:50, :70] = 1
    theirs = detr(net, last_map, inside[::32, ::32])
    assert_same(model(image, samples, mode='tensor'), theirs)


@torch.no_grad()
def test_semantic_fpn_gives_the_published_function():
    net, model = converted('Semantic FPN', 'tiny')
    image = torch.rand(1, 3, *SIZE)
    theirs = dense_naive.semantic_fpn(
        net, dense_naive.pvt_maps(net, image, 'tiny')
    )
    assert_same([model(image, mode='tensor')], [theirs])


@pytest.mark.parametrize(
    ('task', 'arch'),
    [
        (task, arch)
        for task in SHAPES
        for arch in ('tiny', 'small', 'medium', 'large')
        # PVT's DETR is published for one size.
        if task != 'DETR' or arch == 'small'
    ],
)
def test_every_published_key_has_its_place(task, arch):
    with torch.device('meta'):
        weights = {
            name: torch.empty(shape)
            for name, shape in SHAPES[task](arch).items()
        }
        done = convert(weights, 'pvt')
        model = build_model(load_config(done.config))
    assert done.task == task
    assert not done.left_out
    own = {name: value.shape for name, value in model.state_dict().items()}
    assert {name: v.shape for name, v in done.weights.items()} == own
