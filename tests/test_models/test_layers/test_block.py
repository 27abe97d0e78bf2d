import torch
from torch import nn

from mmvit.models.layers import DepthwiseConv, TransformerBlock


def test_positions_are_added_before_or_after():
    conv, x = DepthwiseConv(8), torch.rand(2, 3, 5, 8)
    plain = TransformerBlock(8, nn.Identity(), 2)
    before = TransformerBlock(8, nn.Identity(), 2, cpe=conv)
    after = TransformerBlock(8, nn.Identity(), 2, peg=conv)
    for block in (before, after):
        block.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(before(x), plain(x + conv(x)))
    out = plain(x)
    torch.testing.assert_close(after(x), out + conv(out))
