"""mmsegmentation's SETR models: the same logits with our names."""

import pytest
import torch
from torch import nn

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import convert

CITYSCAPES = '_8xb1-80k_cityscapes-768x768.py'


def segmentors(method: str) -> tuple[nn.Module, nn.Module]:
    """mmseg's published SETR, made small, and ours for its weights."""
    theirs = load_config(f'mmseg::setr/setr_vit-l_{method}{CITYSCAPES}')
    ours = load_config(f'configs/setr/setr-{method}_vit-l{CITYSCAPES}')
    small = dict(
        embed_dims=48, num_layers=4, num_heads=3, out_indices=(0, 1, 2, 3)
    )
    theirs.model.backbone.update(small, init_cfg=None)
    ours.model.backbone.update(
        arch=dict(embed_dims=48, depth=4, num_heads=3, mlp_ratio=4),
        out_indices=(0, 1, 2, 3),
        init_cfg=None,
    )
    if method == 'mla':
        theirs.model.neck.in_channels = [48] * 4
        ours.model.decode_head.in_channels = [48] * 4
        # Ours read the encoder's layers, theirs what the neck makes of them.
        ours.model.auxiliary_head = None
    else:
        keys = ('in_index', 'num_convs', 'up_scale', 'kernel_size')
        heads = theirs.model.auxiliary_head
        for head in (theirs.model.decode_head, *heads):
            head.update(in_channels=48, channels=16)
        ours.model.decode_head.update(in_channels=48, channels=16)
        if method == 'naive':
            ours.model.decode_head.up_scale = 4
            keys = ('in_index', 'up_scale')
        own = ours.model.auxiliary_head[0]
        ours.model.auxiliary_head = [
            dict(own, in_channels=48, channels=16)
            | {key: head[key] for key in keys}
            for head in heads
        ]
    for config in (theirs, ours):
        for head in (
            config.model.decode_head,
            *(config.model.auxiliary_head or ()),
        ):
            head.norm_cfg = dict(type='BN')
        if config.model.get('neck'):
            config.model.neck.norm_cfg = dict(type='BN')
    return build_model(theirs).eval(), build_model(ours).eval()


@pytest.mark.parametrize('method', ['naive', 'pup', 'mla'])
def test_mmseg_weights_give_mmseg_logits(method):
    theirs, ours = segmentors(method)
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, value in theirs.state_dict().items():
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith('running_var'):
            value = 1 + noise.square()
        elif value.is_floating_point():
            value = (
                noise * (value[0].numel() if value.dim() > 1 else 9) ** -0.5
            )
        weights[name] = value
    theirs.load_state_dict(weights)
    done = convert(weights, 'setr')
    assert done.config == f'configs/setr/setr-{method}_vit-l_*.py'
    upscaled = 'model.decode_head.up_scale=4' in done.options
    assert upscaled == (method == 'naive')
    ours.load_state_dict(done.weights, strict=True)
    # The window of the test, and an odd size: as a whole and in windows.
    for size, mode in (
        ((768, 768), 'whole'),
        ((107, 333), 'whole'),
        ((107, 333), 'slide'),
    ):
        image = torch.randn(1, 3, *size, generator=generator)
        meta = [dict(ori_shape=size, img_shape=size, pad_shape=size)]
        logits = []
        for model in (theirs, ours):
            model.test_cfg.update(
                mode=mode, crop_size=(96, 96), stride=(64, 64)
            )
            with torch.no_grad():
                logits.append(model.inference(image, meta))
        assert logits[0].std() > 0.1
        torch.testing.assert_close(*logits, rtol=1e-4, atol=1e-4)
