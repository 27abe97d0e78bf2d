import torch
import torch.nn.functional as F
from torch import nn

from mmvit.models.layers import (
    DepthwiseConv,
    Mlp,
    StochasticDepth,
    TransformerBlock,
    add_branch,
)


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


def test_mlp_matches_its_definition():
    mlp = Mlp(6, 2.5).eval()
    x = torch.rand(2, 3, 4, 6)
    assert mlp.fc1.out_features == 15
    hidden = F.gelu(x @ mlp.fc1.weight.T + mlp.fc1.bias)
    torch.testing.assert_close(
        mlp(x), hidden @ mlp.fc2.weight.T + mlp.fc2.bias
    )


def test_branches_are_skipped_for_whole_images():
    torch.manual_seed(0)
    drop_path = StochasticDepth([0.0, 0.25])
    x, branch = torch.rand(4000, 2, 3), torch.rand(4000, 2, 3)
    (none, _), pair = drop_path(x)
    assert torch.equal(add_branch(x, branch, none), x + branch)
    skips = []
    for factor in pair:
        added = add_branch(x, branch, factor) - x
        skipped = (added == 0).flatten(1).all(1)
        assert abs(skipped.float().mean() - 0.25) < 0.03
        kept = ~skipped
        torch.testing.assert_close(added[kept], branch[kept] / 0.75)
        skips.append(skipped)
    # The two branches of a block are drawn independently.
    both = (skips[0] & skips[1]).float().mean()
    assert abs(both - 0.25**2) < 0.02
    assert drop_path.eval()(x) == [(None, None)] * 2


def test_gradients_of_a_branch():
    x, branch = (
        torch.rand(2, 3, 4, dtype=torch.double, requires_grad=True)
        for _ in range(2)
    )
    factor = torch.tensor([0.0, 4 / 3], dtype=torch.double).view(2, 1, 1)
    torch.autograd.gradcheck(add_branch, (x, branch, factor))
