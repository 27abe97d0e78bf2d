"""Errors of libraries name the part of the config that they come from."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

from mmvit.engine.guards import failed_part


@MODELS.register_module()
class PartOfOneArgument(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.layer = nn.Linear(size, 2)

    def forward(self, x):
        return self.layer(x)


@MODELS.register_module()
class PartWithAHead(nn.Module):
    def __init__(self, head):
        super().__init__()
        # Some classes add to the config of a part.
        self.head = MODELS.build(dict(head))

    def forward(self, x):
        return self.head(x)


def config(**head):
    head = dict(type='PartOfOneArgument', **head)
    return Config(dict(model=dict(type='PartWithAHead', head=head)))


@pytest.fixture
def note_of(monkeypatch):
    """Return what is added to an error; Python 3.10 logs it."""
    logged = []
    monkeypatch.setattr(failed_part, 'warn', logged.append)

    def run(cfg, call, model=None):
        with pytest.raises((RuntimeError, TypeError, ValueError)) as error:
            with failed_part.named_part(cfg, model):
                call()
        return [*getattr(error.value, '__notes__', logged)]

    return run


def test_a_part_that_cannot_be_built(note_of):
    cfg = config(sice=3)
    (note,) = note_of(cfg, lambda: MODELS.build(cfg.model))
    assert note == (
        'This is from building model.head = '
        "dict(type='PartOfOneArgument', sice=3)"
    )


def test_a_part_that_cannot_run(note_of):
    cfg = config(size=3)
    model = MODELS.build(cfg.model)
    (note,) = note_of(cfg, lambda: model(torch.zeros(1, 4)), model)
    assert 'from model.head.layer, a Linear(in_features=3' in note
    assert "model.head = dict(type='PartOfOneArgument', size=3)" in note


def test_other_errors_stay_as_they_are(note_of):
    assert note_of(config(size=3), lambda: int('mine')) == []
