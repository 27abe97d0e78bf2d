"""tools/model_converters/convert_checkpoint.py: files in, files out."""

import argparse

import pytest
import torch

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import FAMILIES
from tests.support.helpers import load_tool
from tests.test_checkpoints.test_published.dense_shapes import setr_shapes
from tests.test_checkpoints.test_published.published import (
    pvt_shapes,
    random_weights,
)

CONFIG = 'configs/pvt/pvt-t_8xb128-300e_in1k.py'
tool = load_tool('model_converters/convert_checkpoint')


def test_families_are_those_of_the_package() -> None:
    assert tuple(sorted(FAMILIES)) == tool.FAMILIES


def test_a_published_file_becomes_the_classifier(tmp_path, capsys) -> None:
    src, dst = tmp_path / 'pvt_tiny.pth', tmp_path / 'new/pvt.pth'
    torch.save(random_weights(pvt_shapes('tiny')), src)
    tool.main(['pvt', str(src), str(dst)])
    # mmengine may log before it.
    assert capsys.readouterr().out.endswith(
        f'{dst}: ImageNet classifier, 162 tensors, every key of {src} '
        f'placed\nconfig: {CONFIG}\n'
    )
    found = torch.load(dst, weights_only=True)
    assert found['meta'] == dict(converted_from='pvt_tiny.pth')
    model = build_model(load_config(CONFIG))
    model.load_state_dict(found['state_dict'])
    with pytest.raises(SystemExit):
        tool.main(['pvt', str(src), str(dst)])
    assert '--force replaces it' in capsys.readouterr().err
    tool.main(['pvt', str(src), str(dst), '--force'])


def test_what_is_left_out_is_told(tmp_path, capsys) -> None:
    """A file as a trainer writes it, with its settings beside the weights."""
    src, dst = tmp_path / 'setr.pth', tmp_path / 'out.pth'
    shapes = setr_shapes('pup', 24, 1, 4, 5, 8)
    content = dict(
        state_dict=random_weights(shapes), args=argparse.Namespace(lr=0.1)
    )
    torch.save(content, src)
    tool.main(['setr', str(src), str(dst)])
    first, names, config = capsys.readouterr().out.splitlines()
    assert first.startswith(f'{dst}: SETR-PUP, ')
    assert first.endswith('placed but 10 that play no part:')
    assert names.startswith('  decode_head.conv_seg.weight, decode_head.')
    assert config == 'config: none has these sizes'
    found = torch.load(dst, weights_only=True)
    assert found.keys() == {'state_dict', 'meta'}


def test_the_moving_average_is_converted_if_it_is_asked_for(tmp_path) -> None:
    src, dst = tmp_path / 'hlg.pth', tmp_path / 'out.pth'
    content = {
        name: {'norm.weight': torch.full((3,), value)}
        for name, value in (('model', 1.0), ('model_ema', 2.0))
    }
    torch.save(content, src)
    for extra, value in (([], 1.0), (['--ema', '--force'], 2.0)):
        tool.main(['hlg', str(src), str(dst), *extra])
        (weight,) = torch.load(dst)['state_dict'].values()
        assert (weight == value).all()


def test_weights_that_are_not_finite_are_not_converted(tmp_path) -> None:
    src, dst = tmp_path / 'hlg.pth', tmp_path / 'out.pth'
    torch.save({'norm.weight': torch.tensor([1.0, torch.nan])}, src)
    with pytest.raises(SystemExit, match='NaN or infinite: .*norm'):
        tool.main(['hlg', str(src), str(dst)])
    assert not dst.exists()


def test_focal_fast_is_refused_by_name(tmp_path) -> None:
    src = tmp_path / 'focalv2.pth'
    name = 'layers.0.blocks.0.attn.coord2rpb_all.0.0.weight'
    torch.save({name: torch.rand(32, 2)}, src)
    with pytest.raises(SystemExit, match='Focal-fast'):
        tool.main(['focal', str(src), str(tmp_path / 'out.pth')])


def test_a_foreign_file_is_not_converted(tmp_path) -> None:
    src, dst = tmp_path / 'resnet.pth', tmp_path / 'out.pth'
    torch.save({'conv1.weight': torch.rand(4, 3, 7, 7)}, src)
    with pytest.raises(SystemExit, match=r'1 of its 1 keys.*conv1'):
        tool.main(['pvt', str(src), str(dst)])
    assert not dst.exists()
