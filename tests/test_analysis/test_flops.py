"""Counts against figures worked out by hand, and against a second way."""

import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import CARAFE, DeformConv2dPack, ModulatedDeformConv2dPack
from mmengine.config import Config
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

from mmvit.analysis.flops import count_complexity, count_params
from mmvit.analysis.multiply_adds import (
    MultiplyAddCounter,
    UncountedOperatorError,
)
from mmvit.apis.config import build_model, load_config
from tests.support.tiny import tiny_config


def total(run, *args: object) -> int:
    with MultiplyAddCounter() as counter, torch.no_grad():
        run(*args)
    return counter.total


HEADS = ('head', 'bbox_head', 'decode_head')


def tiny_model(task: str) -> nn.Module:
    return build_model(tiny_config(task, 'nowhere'))


class Attention(nn.Module):
    """One attention layer, by torch's operator or written out."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.fused = fused
        self.qkv = nn.Linear(12, 36)

    def forward(self, image: Tensor) -> Tensor:
        x = image.flatten(2).transpose(1, 2)
        # (B, N, 36) -> 3 x (B, 2, N, 6)
        q, k, v = self.qkv(x).unflatten(2, (3, 2, 6)).permute(2, 0, 3, 1, 4)
        bias = x.new_zeros(x.shape[1], x.shape[1])
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return (q @ k.transpose(-2, -1) * 6**-0.5 + bias).softmax(-1) @ v


@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_fused_attention_counts_as_written_out(device: str) -> None:
    image = torch.zeros(2, 12, 5, 7, device=device)
    expected = 2 * (35 * 12 * 36 + 2 * 2 * 35 * 35 * 6)
    for fused in (True, False):
        assert total(Attention(fused).to(device), image) == expected


@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_products_of_attention(device: str) -> None:
    function = F.scaled_dot_product_attention
    image = torch.zeros(2, 12, 5, 7, device=device)
    with MultiplyAddCounter() as counter, torch.no_grad():
        Attention(fused=True).to(device)(image)
    assert counter.attention == 2 * 2 * 2 * 35 * 35 * 6
    assert F.scaled_dot_product_attention is function


@pytest.mark.parametrize('grad', [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize('width', [16, 8])
def test_attention_by_hand(grad, masked: bool, width: int) -> None:
    # 2 images, 3 heads, 50 queries, 7 keys
    q, k = torch.zeros(2, 3, 50, 16), torch.zeros(2, 3, 7, 16)
    v = torch.zeros(2, 3, 7, width)
    mask = torch.zeros(50, 7) if masked else None
    with MultiplyAddCounter() as counter, grad():
        F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    assert counter.total == 2 * 3 * 50 * 7 * (16 + width)


@pytest.mark.parametrize(
    ('layer', 'shape', 'expected'),
    [
        (nn.Linear(6, 5), (2, 7, 6), 14 * 30),
        (nn.Conv2d(8, 12, 3, padding=1), (2, 8, 5, 6), 60 * 9 * 96),
        (nn.Conv2d(8, 12, 3, groups=4), (1, 8, 5, 6), 12 * 9 * 24),
        (nn.Conv2d(8, 8, 3, stride=2, groups=8), (1, 8, 7, 7), 9 * 9 * 8),
        (nn.ConvTranspose2d(8, 4, 2, stride=2), (1, 8, 5, 6), 30 * 4 * 32),
        (
            nn.MultiheadAttention(8, 2, batch_first=True),
            (2, 5, 8),
            10 * 4 * 64 + 2 * 2 * 25 * 8,
        ),
    ],
)
def test_layers_by_hand(
    layer: nn.Module, shape: tuple[int, ...], expected: int
) -> None:
    x = torch.zeros(shape)
    is_attention = isinstance(layer, nn.MultiheadAttention)
    layer.eval()
    assert total(layer, *[x] * (3 if is_attention else 1)) == expected


def test_products_that_torch_leaves_out() -> None:
    a, b, c = torch.zeros(3, 4), torch.zeros(4, 5), torch.zeros(3, 5)
    assert total(c.addmm_, a, b) == 60
    assert total(torch.mv, a, b[:, 0]) == 12
    assert total(c[:, 0].addmv, a, b[:, 0]) == 12
    assert total(torch.dot, a[0], b[:, 0]) == 4
    batch = torch.zeros(2, 3, 4), torch.zeros(2, 4, 5)
    assert total(torch.zeros(2, 3, 5).baddbmm_, *batch) == 120
    assert total(c.addbmm, *batch) == 120


def test_deformable_convolutions() -> None:
    x = torch.zeros(1, 8, 6, 5)
    convolution = 30 * 9 * 8 * 12
    offset = 30 * 9 * 8 * 18
    plain = DeformConv2dPack(8, 12, 3, padding=1)
    assert total(plain, x) == convolution + offset
    assert count_complexity(plain, (6, 5), 8).flops == convolution + offset
    # two groups halve the work; 27 = 18 offsets and 9 factors
    modulated = ModulatedDeformConv2dPack(8, 12, 3, padding=1, groups=2)
    assert total(modulated, x) == convolution // 2 + 30 * 9 * 8 * 27
    weight = torch.zeros(12, 4, 3, 3)
    assert total(deform_conv2d, x, torch.zeros(1, 18, 4, 3), weight) == (
        12 * 9 * 4 * 12
    )


def test_no_total_without_a_formula() -> None:
    a = torch.zeros(3, 4)
    with pytest.raises(UncountedOperatorError, match='_cdist_forward'):
        total(torch.cdist, a, a)
    with pytest.raises(UncountedOperatorError, match='mkldnn_rnn_layer'):
        total(nn.LSTM(4, 4).eval(), a)
    carafe = nn.Sequential(CARAFE(5, 1, 2))
    with pytest.raises(UncountedOperatorError, match='CARAFE'):
        count_complexity(carafe, (8, 8))


def test_an_error_inside_is_not_hidden() -> None:
    a = torch.zeros(3, 4)
    with pytest.raises(KeyError), MultiplyAddCounter():
        torch.cdist(a, a)
        raise KeyError('mine')


def test_parts_add_up() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = nn.Conv2d(3, 4, 1)
            self.head = nn.Linear(6, 5)
            self.tied = nn.Linear(6, 5)
            self.tied.weight = self.head.weight
            self.table = nn.Parameter(torch.zeros(5, 2))

        def forward(self, image: Tensor) -> Tensor:
            return self.tied(self.head(self.backbone(image)) @ self.table @ m)

    m = torch.zeros(2, 6, device='meta')
    found = count_complexity(Net(), (2, 6))
    parts = {k: (p.params, p.flops) for k, p in found.parts.items()}
    assert parts == dict(
        backbone=(16, 12 * 12),
        head=(35, 8 * 30),
        tied=(5, 8 * 30),
        other=(10, 8 * 10 + 8 * 12),
    )
    assert found.device == 'meta'
    assert found.params == 66 == count_params(Net())
    assert found.flops == sum(flops for _, flops in parts.values())


def test_nothing_is_left_changed() -> None:
    model = tiny_model('ins')
    next(model.parameters()).requires_grad_(False)
    wanted = [p.requires_grad for p in model.parameters()]
    count_complexity(model, (64, 64))
    assert model.training
    assert [p.requires_grad for p in model.parameters()] == wanted
    assert 'predict' not in vars(model.rpn_head)
    assert '_mask_forward' not in vars(model.roi_head)
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize('task', ['cls', 'det', 'seg'])
def test_shapes_alone_and_values_agree(task: str) -> None:
    model = tiny_model(task)
    found = count_complexity(model, (64, 96))
    assert found.device == 'meta'
    model.eval()
    image = torch.zeros(1, 3, 64, 96)
    assert found.flops == total(model, image) > 0
    assert found.params == count_params(model)
    assert {'backbone', 'neck', *HEADS} >= set(found.parts)
    assert all(part.flops for part in found.parts.values())
    assert 'other' not in found.parts


def test_classifier_counts_its_head() -> None:
    assert count_complexity(tiny_model('cls'), (64, 64)).parts[
        'head'
    ].flops == (32 * 2)


def test_two_stage_detector_has_its_proposals() -> None:
    cfg = tiny_config('ins', 'nowhere')
    # leaves fewer than the 20 that the config allows
    cfg.model.test_cfg.rpn.nms.iou_threshold = 0.01
    found = count_complexity(build_model(cfg), (64, 96))
    assert (found.proposals, found.masks, found.device) == (20, 20, 'cpu')
    # 7x7 of 16 channels to 16, to 16, to 3 classes and 2 boxes; the mask
    # head's 3x3 convolution, upsampling by 2 and 2 classes, from 14x14
    box = 49 * 16 * 16 + 16 * 16 + 16 * (3 + 8)
    mask = 196 * 16 * (9 * 16 + 4 * 16 + 4 * 2)
    assert found.parts['roi_head'].flops == 20 * (box + mask)


def test_cascade_computes_masks_of_what_is_left() -> None:
    roi_head = dict(
        type='CascadeRoIHead',
        num_stages=2,
        stage_loss_weights=[1, 1],
        mask_head=dict(num_convs=1),
    )
    cfg = tiny_config('ins', 'nowhere', model__roi_head=roi_head)
    cfg.model.test_cfg.rcnn.max_per_img = 5
    cfg.model.train_cfg.rcnn = [cfg.model.train_cfg.rcnn] * 2
    cfg.model.roi_head.bbox_head.reg_class_agnostic = True
    found = count_complexity(build_model(cfg), (64, 96))
    assert (found.proposals, found.masks) == (20, 5)
    box = 49 * 16 * 16 + 16 * 16 + 16 * (3 + 4)
    mask = 196 * 16 * (9 * 16 + 4 * 16 + 4 * 2)
    assert found.parts['roi_head'].flops == 2 * (20 * box + 5 * mask)


@pytest.mark.slow
def test_figures_of_the_libraries_models() -> None:
    """PVT's Table 10; mmdet's documented R50 at 800x1280: 239 G."""
    for name, flops, params in (
        ('mmdet::pvt/retinanet_pvt-s_fpn_1x_coco.py', 285.66e9, 34.22e6),
        ('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', 239.3e9, 37.97e6),
    ):
        cfg: Config = load_config(name)
        found = count_complexity(build_model(cfg), (800, 1280))
        assert found.flops == pytest.approx(flops, rel=5e-3)
        assert found.params == pytest.approx(params, rel=2e-3)
