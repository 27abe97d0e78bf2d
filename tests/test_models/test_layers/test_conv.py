import pytest
import torch
import torch.nn.functional as F

from mmvit.models.layers import ChannelsLastConv2d, ConvNorm


@pytest.mark.parametrize(
    ('kernel', 'stride', 'groups'), [(1, 1, 1), (3, 2, 4), (3, 1, 1)]
)
def test_convolution_of_a_map(kernel, stride, groups):
    conv = ChannelsLastConv2d(4, 8, kernel, stride, kernel // 2, groups=groups)
    x = torch.rand(2, 5, 7, 4)
    expected = F.conv2d(
        x.permute(0, 3, 1, 2),
        conv.weight,
        conv.bias,
        stride,
        kernel // 2,
        groups=groups,
    )
    torch.testing.assert_close(
        conv(x), expected.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ('kernel', 'stride', 'groups'), [(1, 1, 1), (3, 2, 4), (3, 1, 1)]
)
def test_normalisation_is_folded_in_evaluation(kernel, stride, groups):
    torch.manual_seed(0)
    layer = ConvNorm(4, 8, kernel, stride, groups)
    for param in layer.parameters():
        torch.nn.init.normal_(param, std=0.3)
    layer.norm.running_mean.normal_()
    layer.norm.running_var.uniform_(0.5, 2)
    x = torch.rand(2, 5, 6, 4)
    for training in (False, True):
        layer.train(training)
        conv = F.conv2d(
            x.permute(0, 3, 1, 2),
            layer.conv.weight,
            stride=stride,
            padding=kernel // 2,
            groups=groups,
        )
        torch.testing.assert_close(
            layer(x),
            layer.norm(conv).permute(0, 2, 3, 1),
            rtol=1e-4,
            atol=1e-5,
        )
