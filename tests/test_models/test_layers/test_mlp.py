import torch
import torch.nn.functional as F

from mmvit.models.layers import Mlp


def test_mlp_matches_its_definition():
    mlp = Mlp(6, 2.5).eval()
    x = torch.rand(2, 3, 4, 6)
    assert mlp.fc1.out_features == 15
    hidden = F.gelu(x @ mlp.fc1.weight.T + mlp.fc1.bias)
    torch.testing.assert_close(
        mlp(x), hidden @ mlp.fc2.weight.T + mlp.fc2.bias
    )
