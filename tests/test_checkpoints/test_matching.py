"""Weights are loaded once it is certain that they fit."""

import pytest
import torch
from torch import nn

from mmvit.checkpoints import check_match, load_pretrained


def net(width: int = 4) -> nn.Module:
    return nn.Sequential(
        nn.Linear(3, width), nn.LayerNorm(width), nn.Linear(width, 2)
    )


def test_pretrained_weights_are_loaded_by_prefix(tmp_path):
    source, target = net(), net()
    path = str(tmp_path / 'file.pth')
    torch.save(
        {
            f'backbone.{key}': value
            for key, value in source.state_dict().items()
        }
        | {'head.weight': torch.ones(2)},
        path,
    )
    load_pretrained(target, path, 'backbone')
    torch.testing.assert_close(target.state_dict(), source.state_dict())
    with pytest.raises(ValueError, match="begins with 'encoder.'"):
        load_pretrained(target, path, 'encoder.')
    with pytest.raises(ValueError, match='missing: 0.weight'):
        load_pretrained(target, path)


def test_match():
    model = net()
    weights = net().state_dict()
    check_match(model, weights, 'a file', min_matched=1.0)
    wide = net(width=5).state_dict()
    with pytest.raises(ValueError, match=r'0.weight \(5, 3\) instead of'):
        check_match(model, wide, 'a file', min_matched=0.0)
    part = {key: weights[key] for key in ('0.weight', '0.bias', '1.weight')}
    check_match(model, part, 'a file', min_matched=0.5)
    with pytest.raises(ValueError, match='3 of 6 .* missing: 1.bias'):
        check_match(model, part, 'a file', min_matched=0.6)
    head = {**weights, '2.weight': torch.ones(7, 4), '2.bias': torch.ones(7)}
    check_match(model, head, 'a file', min_matched=0.5, allow_shapes=True)
    with pytest.raises(ValueError, match='2.weight'):
        check_match(model, head, 'a file', min_matched=0.5)
    with pytest.raises(ValueError, match='0 of 6'):
        check_match(model, {}, 'a file', min_matched=0.0)


def test_tables_may_be_of_another_size():
    class Table(nn.Module):
        def __init__(self, side):
            super().__init__()
            self.table = nn.Parameter(torch.ones(1, side, side, 4))

        def resize(self):
            """The mark of modules that resize what they load."""

    check_match(Table(3), Table(5).state_dict(), 'a file', min_matched=1.0)
    other = dict(table=torch.ones(1, 3, 3, 5))
    with pytest.raises(ValueError, match='of another shape: table'):
        check_match(Table(3), other, 'a file', min_matched=0.0)
