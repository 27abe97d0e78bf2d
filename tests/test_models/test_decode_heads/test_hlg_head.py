import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmvit.registry import MODELS

WIDTHS = [8, 16, 24, 32]
# Another test's default scope would give the head another library's loss.
pytestmark = pytest.mark.usefixtures('fresh_runs')


def build(**kwargs) -> torch.nn.Module:
    head = MODELS.build(
        dict(
            type='mmvit.HLGHead',
            in_channels=WIDTHS,
            in_index=[0, 1, 2, 3],
            channels=32,
            num_classes=5,
            norm_cfg=dict(type='BN'),
            **kwargs,
        )
    )
    head.init_weights()
    return head


def maps(height: int, width: int) -> list[torch.Tensor]:
    return [
        torch.rand(2, channels, -(-height // 2**i), -(-width // 2**i))
        for i, channels in enumerate(WIDTHS)
    ]


@pytest.mark.parametrize('size', [(16, 16), (9, 17)])
def test_logits_have_the_size_of_the_image(size):
    head = build().eval()
    with torch.no_grad():
        out = head(maps(*size))
    assert out.shape == (2, 5, 4 * size[0], 4 * size[1])


def test_one_plain_and_one_dilated_layer_with_windows_of_8():
    head = build()
    attns = [layer.attn for layer in head.layers]
    assert [attn.windows for attn in attns] == ['plain', 'dilated']
    assert [attn.window_size for attn in attns] == [8, 8]
    assert attns[0].num_heads == 1
    assert attns[1].build_grid((128, 64)).rows.dilation == 16


def test_every_parameter_learns():
    head = build().train()
    samples = []
    for _ in range(2):
        sample = SegDataSample()
        sample.gt_sem_seg = PixelData(
            data=torch.randint(5, (1, 40, 56), dtype=torch.long)
        )
        samples.append(sample)
    losses = head.loss(maps(10, 14), samples, train_cfg=None)
    losses['loss_ce'].backward()
    for name, param in head.named_parameters():
        assert param.grad is not None, name
        # The same bias for all keys leaves a softmax as it is: its gradient
        # is zero but for rounding.
        if not name.endswith('_bias.layers.9.bias'):
            assert param.grad.abs().sum() > 0, name
