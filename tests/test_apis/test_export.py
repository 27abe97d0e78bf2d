"""Whole models as graphs, and what is refused."""

import math
import sys

import pytest
import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from mmvit.apis.config import build_model
from mmvit.apis.export import (
    ExportError,
    _without_special_cases,
    check,
    export_model,
    format_of,
    random_images,
    save,
    trace,
)
from mmvit.apis.export_models import ExportedModel, for_export
from mmvit.models.backbones import FocalTransformer, HLGTransformer
from mmvit.registry import MODELS
from tests.support.tiny import tiny_config

SHAPE = (64, 96)


def build(task: str, **options) -> nn.Module:
    torch.manual_seed(0)
    model = build_model(tiny_config(task, 'nowhere', **options))
    for param in model.parameters():
        if param.dim() > 1:
            nn.init.normal_(param, std=0.1)
    model.eval()
    return model


def prepared(model: nn.Module, images: Tensor) -> Tensor:
    """The images as the library's own preprocessing makes them."""
    data = dict(inputs=[image.flip(0) for image in images])
    return model.data_preprocessor(data)['inputs']


def predicted(model: nn.Module, images: Tensor) -> list[DetDataSample]:
    meta = dict(
        img_shape=SHAPE,
        ori_shape=SHAPE,
        batch_input_shape=SHAPE,
        scale_factor=(1.0, 1.0),
    )
    samples = [DetDataSample(metainfo=dict(meta)) for _ in images]
    return model.predict(prepared(model, images), samples, rescale=False)


@pytest.mark.parametrize('task', ['det', 'ins'])
def test_boxes_are_those_of_mmdet(task):
    model = build(task)
    images = random_images((2, *SHAPE), model)
    with torch.no_grad():
        boxes, scores, labels, *_ = for_export(model)(images)
        samples = predicted(model, images)
    for index, sample in enumerate(samples):
        expected = sample.pred_instances
        number = len(expected)
        assert number
        torch.testing.assert_close(scores[index, :number], expected.scores)
        torch.testing.assert_close(
            boxes[index, :number], expected.bboxes, rtol=1e-3, atol=1e-2
        )
        assert torch.equal(labels[index, :number], expected.labels)
        assert (scores[index, number:] == -1).all()
        assert (labels[index, number:] == -1).all()
        assert not boxes[index, number:].any()


def test_scores_and_logits_are_those_of_the_libraries():
    for task in ('cls', 'seg'):
        model = build(task)
        images = random_images((2, *SHAPE), model)
        with torch.no_grad():
            (found,) = for_export(model)(images)
            inputs = prepared(model, images)
            if task == 'cls':
                expected = model.predict(inputs)
                expected = torch.stack([s.pred_score for s in expected])
            else:
                meta = dict(img_shape=SHAPE, ori_shape=SHAPE)
                expected = model.inference(inputs, [meta] * 2)
        torch.testing.assert_close(found, expected)


@pytest.mark.slow
def test_retinanet_as_a_program(tmp_path):
    """With its boxes after suppression, for any number of images."""
    model = for_export(build('det'))
    path = str(tmp_path / 'model.pt2')
    for found in export_model(model, path, SHAPE, ['batch']):
        assert found.largest < 1e-4
        assert found.boxes[0] == found.boxes[1] > 0


def test_what_cannot_be_exported_is_refused():
    model = build('ins')
    model.roi_head.__class__ = type('HTCRoIHead', (nn.Module,), {})
    with pytest.raises(ValueError, match='HTCRoIHead cannot be exported'):
        for_export(model)
    model = build('det')
    model.bbox_head.__class__ = type('ATSSHead', (nn.Module,), {})
    with pytest.raises(ValueError, match='ATSSHead cannot be exported'):
        for_export(model)
    with pytest.raises(ValueError, match='Linear is no model'):
        for_export(nn.Linear(2, 2))
    classifier = for_export(build('cls'))
    with pytest.raises(ExportError, match='64 to 8192 pixels'):
        trace(classifier, (60, 64), ['hw'])
    with pytest.raises(ExportError, match='choose of batch, hw'):
        trace(classifier, SHAPE, ['width'])


class Fixed(nn.Module):
    """It has the number of images that was traced."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (images.view(len(images), -1) * self.scale,)


def test_a_graph_that_holds_for_one_size_is_refused():
    with pytest.raises(ExportError, match='with open batch'):
        trace(Fixed(), SHAPE, ['batch'])


def test_a_torch_without_the_settings_is_used_as_it_is(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch._dynamo.config', None)
    old = object()  # It has nothing to set.
    monkeypatch.setitem(sys.modules, 'torch.fx.experimental._config', old)
    with _without_special_cases(True):
        assert torch._dynamo.config.fake_tensor_cache_enabled


def test_what_a_format_needs_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(ExportError, match=r'needs onnx: .*mmvit\[export\]'):
        format_of('x.onnx')
    assert format_of('x.PT2') == 'torch-export'
    with pytest.raises(ExportError, match='x.pth must end with .pt2 or .onnx'):
        format_of('x.pth')


def test_a_wrong_graph_is_told(tmp_path):
    model = for_export(build('cls'))
    path = str(tmp_path / 'model.pt2')
    save(trace(model, SHAPE), path, model.outputs)
    with torch.no_grad():
        model.model.head.fc.weight.add_(
            torch.randn_like(model.model.head.fc.weight)
        )
    (found,) = check(model, path, SHAPE)
    assert found.largest > 1e-3
    with torch.no_grad():
        model.model.head.fc.weight.fill_(math.nan)
    (found,) = check(model, path, SHAPE)
    assert math.isnan(found.largest)


def check_open_sizes(model: ExportedModel, limit: float = 0.0) -> None:
    """Trace a graph of any size, and run it at the smallest and another."""
    model.eval()
    graph = trace(model, (64, 96), ['hw']).module()
    for size in ((64, 64), (131, 83)):
        images = random_images((1, *size), model)
        with torch.no_grad():
            (found,), (expected,) = graph(images), model(images)
        torch.testing.assert_close(found, expected, rtol=limit, atol=limit)


@pytest.mark.slow
def test_a_head_that_upsamples_leaves_the_size_open():
    model = build('seg')
    head = dict(
        type='mmseg.FPNHead',
        in_channels=[8, 16],
        in_index=[0, 1],
        feature_strides=[4, 8],
        channels=8,
        num_classes=3,
        align_corners=False,
    )
    model.decode_head, model.neck = MODELS.build(head), None
    images = random_images((1, *SHAPE), model.eval())
    with torch.no_grad():
        expected = model.encode_decode(
            prepared(model, images), [dict(img_shape=SHAPE)]
        )
        exported = for_export(model)
        torch.testing.assert_close(exported(images)[0], expected)
    check_open_sizes(exported)


def small_arch(channels: int, **others: tuple) -> dict:
    """An arch with a block in each stage, unless `others` has depths."""
    one = (1, 1, 1, 1)
    common = dict(depths=one, num_heads=one, mlp_ratios=one)
    return dict(embed_dims=(channels,) * 4) | common | others


@pytest.mark.slow
def test_one_window_and_several_share_a_graph():
    """Focal's windows of 16 tokens are those of an image of 64 pixels."""
    torch.manual_seed(0)
    arch = small_arch(
        8,
        window_sizes=(16,) * 4,
        focal_windows=((1, 8),) * 4,
        focal_regions=((20, 4),) * 4,
    )
    check_open_sizes(for_export(FocalTransformer(arch, out_indices=(0,))))


@pytest.mark.slow
def test_dilated_windows_of_all_sizes_share_a_graph():
    """HLG's third stage has 4x4 tokens at 64 pixels: a dilation of 1."""
    torch.manual_seed(0)
    arch = small_arch(16, depths=(1, 1, 2, 1))
    model = for_export(HLGTransformer(arch, out_indices=(2,)))
    check_open_sizes(model, limit=1e-5)
