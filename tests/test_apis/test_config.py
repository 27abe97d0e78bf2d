"""Configs are loaded, and models built with safe loading."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import nn

from mmvit.apis.config import (
    build_model,
    innermost_dataset,
    input_channels,
    load_config,
)
from mmvit.checkpoints.guard import CheckedPretrainedInit

# Nine levels of aliases: a billion values
ALIASES = b'a0: &a0 [1]\n' + b''.join(
    b'a%d: &a%d [%s]\n' % (i, i, b', '.join([b'*a%d' % (i - 1)] * 10))
    for i in range(1, 10)
)


def test_a_missing_config_is_named() -> None:
    with pytest.raises(FileNotFoundError, match='gone.py'):
        load_config('gone.py')


def test_a_config_of_a_library_is_found_by_its_name() -> None:
    cfg = load_config('mmdet::_base_/models/retinanet_r50_fpn.py')
    assert cfg.model.type == 'RetinaNet'


def test_the_innermost_dataset() -> None:
    inner = dict(type='CocoDataset')
    assert innermost_dataset(dict(dataset=dict(dataset=inner))) is inner
    assert innermost_dataset(inner) is inner


@pytest.mark.parametrize(
    ('model', 'wanted'),
    [
        (dict(backbone=dict(in_channels=4)), 4),
        (dict(data_preprocessor=dict(mean=[0.5])), 1),
        (dict(data_preprocessor=dict(mean=None), backbone=dict()), 3),
    ],
)
def test_channels_of_the_images(model, wanted) -> None:
    assert input_channels(Config(dict(model=model))) == wanted


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'config.py is empty'),
        ('a = 1\nb = dict(x=1))\n', r"config.py:2: unmatched '\)'"),
        ("_base_ = './base.py'", 'circle: .*config.py -> .*base.py -> .*conf'),
        ("_base_ = ['./broken.py']", 'broken.py:1: '),
        ("_base_ = './no.py'", 'config.py names a _base_ that does n.*no.py'),
    ],
)
def test_files_that_are_no_configs(tmp_path, text, message) -> None:
    (tmp_path / 'config.py').write_text(text)
    (tmp_path / 'base.py').write_text("_base_ = ['config.py']")
    (tmp_path / 'broken.py').write_text('a = [1')
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        load_config(str(tmp_path / 'config.py'))


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('c.py', 'a = 1'.encode('utf-16'), 'c.py is not in UTF-8'),
        ('c.py', '# Gr\xfcn'.encode('latin-1'), 'c.py is not in UTF-8'),
        ('c.py', 'a = 1'.encode('utf-8-sig'), 'c.py begins with a byte order'),
        ('c.json', b'{"model": ', 'c.json cannot be read: Expecting value'),
        ('c.yaml', b'model: [1, 2', 'c.yaml cannot be read: while parsing'),
        ('c.yaml', b'a: !!python/name:os.system', 'c.yaml cannot .*determine'),
        ('c.json', b'[' * 100000, 'c.json cannot be read'),
        ('c.yaml', b'', 'c.yaml must be a dict of keys'),
        ('c.yaml', ALIASES, '/c.yaml cannot .* more than 100,000 values'),
        ('c.yaml', b'a: &a [*a]', '/c.yaml cannot be read: its aliases'),
        ('c.yaml', b'a: 1' + b':59' * 200_000, 'a number of 600,001 char'),
        ('c.json', b'[1]', 'c.json must be a dict of keys'),
        ('c.py', b'a\x00', 'c.py:1: source code .* null bytes$'),
    ],
)
def test_broken_files_are_named(tmp_path, name, content, message) -> None:
    (tmp_path / name).write_bytes(content)
    base = tmp_path / 'base.py'
    base.write_text(f'_base_ = [{name!r}]')
    for path in (tmp_path / name, base):
        with pytest.raises(ValueError, match=message):
            load_config(str(path))


def test_models_are_built_with_guarded_loading(fresh_runs) -> None:
    seen = []

    class Teacher(nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, 2)
            seen.append(WEIGHT_INITIALIZERS.get('Pretrained'))

    before = WEIGHT_INITIALIZERS.get('Pretrained')
    model = build_model(Config(dict(model=dict(type=Teacher))), 'meta')
    assert model.weight.device == torch.device('meta')
    assert seen == [CheckedPretrainedInit]
    assert WEIGHT_INITIALIZERS.get('Pretrained') is before


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('a.b=1', 'these options do not fit .*c.py: a.b'),
        ('steps.9=1', 'these options do not fit .*Index 9'),
        ('a=(1,2', '--cfg-options: Imbalanced brackets'),
    ],
)
def test_options_that_do_not_fit(tmp_path, option, message) -> None:
    path = tmp_path / 'c.py'
    path.write_text("a = 'text'\nsteps = [1]\nmodel = dict()\n")
    with pytest.raises(ValueError, match=message):
        load_config(str(path), [option])


def test_a_config_without_a_model_builds_none() -> None:
    with pytest.raises(ValueError, match='has no model'):
        build_model(Config(dict(default_scope='mmseg')))
