"""Weights are loaded once it is certain that they fit."""

import pytest
import torch
from torch import nn

from mmvit.checkpoints import check_match, load_pretrained, matching


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


def test_a_prefix_that_would_help_is_named():
    weights = {f'model.{key}': w for key, w in net().state_dict().items()}
    with pytest.raises(ValueError, match='6 of its keys would fit without "m'):
        check_match(net(), weights | {'loss.a': torch.ones(1)}, 'a file', 0.5)


def convolution() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


@pytest.mark.parametrize('complete', [True, False])
def test_statistics_come_with_their_weights(complete):
    """A pre-trained file may leave a whole norm out, and no other may."""
    model, weights = convolution(), convolution().state_dict()
    share = 1.0 if complete else 0.5
    older = dict(weights)
    del older['1.num_batches_tracked']  # of torch before 0.4.1
    check_match(model, older, 'a file', share)
    parameters = dict(convolution().named_parameters())
    with pytest.raises(ValueError, match='a file .*1.running_mean, 1.running'):
        check_match(model, parameters, 'a file', share)
    if not complete:
        first = {k: w for k, w in weights.items() if k.startswith('0.')}
        check_match(model, first, 'a file', share)


def test_other_buffers_are_needed_in_a_complete_file():
    class Centre(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2, 2))
            self.register_buffer('centre', torch.ones(2))
            self.register_buffer('index', torch.arange(2))

    weights = dict(weight=torch.ones(2, 2))
    check_match(Centre(), weights, 'a file', 0.5)
    with pytest.raises(ValueError, match='centre'):
        check_match(Centre(), weights, 'a file', 1.0)
    check_match(Centre(), weights | dict(centre=torch.ones(2)), 'a file', 1.0)


@pytest.mark.parametrize(
    ('name', 'change', 'text'),
    [
        ('0.weight', lambda w: w.fill_(torch.nan), 'NaN or infinite: 0.weig'),
        ('1.running_mean', lambda w: w.fill_(torch.inf), 'NaN or infinite: 1'),
        ('0.weight', lambda w: w.to(torch.int8), r'0.weight \(int8\)'),
        ('0.bias', lambda w: w.to(torch.complex64), r'0.bias \(complex64\)'),
        ('0.weight', lambda w: w.zero_(), 'weights that are all zero'),
        ('1.running_var', lambda w: w.fill_(-1), 'negative variances'),
    ],
)
def test_numbers_that_no_training_makes(name, change, text):
    model, weights = convolution(), dict(convolution().state_dict())
    weights[name] = change(weights[name].clone())
    with pytest.raises(ValueError, match=f'a file .*{text}'):
        check_match(model, weights, 'a file', min_matched=0.5)


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16', 'float8_e4m3fn'])
def test_short_numbers_are_read(dtype):
    weights = {
        key: value.to(getattr(torch, dtype))
        for key, value in net().state_dict().items()
    }
    check_match(net(), weights, 'a file', min_matched=1.0)


def test_matrices_of_zeros_are_named(monkeypatch):
    model = net()
    weights = {key: w.clone() for key, w in net().state_dict().items()}
    weights['2.weight'].zero_()
    found = warnings_of(monkeypatch, model, weights)
    assert any('all zero: 2.weight' in text for text in found)
    # As they were drawn
    nn.init.zeros_(model[2].weight)
    assert not any(
        'all zero' in text for text in warnings_of(monkeypatch, model, weights)
    )


def warnings_of(monkeypatch, model, weights) -> list[str]:
    found = []
    monkeypatch.setattr(matching, 'warn', found.append)
    check_match(model, weights, 'a file', min_matched=1.0)
    return found
