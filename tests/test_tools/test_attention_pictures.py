"""attention_map.py and receptive_field.py."""

import cv2
import numpy as np
import pytest
import torch

from mmvit.models import FocalTransformer, PyramidBackbone
from mmvit.models.backbones.pvt import PVT
from tests.support.helpers import load_tool
from tests.support.tiny import ARCH, tiny_config
from tests.support.tiny import write_config as write

FOCAL = dict(
    embed_dims=(8, 16, 24, 32),
    depths=(1, 1, 1, 1),
    num_heads=(2, 2, 3, 4),
    mlp_ratios=(2, 2, 2, 2),
    window_sizes=(4, 4, 4, 4),
    focal_windows=((1, 4), (1, 4), (1, 4), (1, 4)),
    focal_regions=((6, 1), (8, 3), (8, 3), (4, 1)),
)


def maps_of(model: PyramidBackbone, name: str, point: tuple) -> torch.Tensor:
    tool = load_tool('visualization/attention_map')
    image = torch.rand(1, 3, 64, 64)
    block = model.get_submodule(name)
    return tool.attention_of(model.eval(), block, image, point)


def test_full_attention_gives_the_weights_themselves():
    """PVT's last stage reads its map as it is, which is to be seen."""
    torch.manual_seed(0)
    model = PVT(ARCH, img_size=64).eval()
    tool = load_tool('visualization/attention_map')
    name, image = 'stages.3.blocks.0', torch.rand(1, 3, 64, 64)
    maps = tool.attention_of(
        model, model.get_submodule(name), image, (0.6, 0.1)
    )
    with tool.record_attention(model) as weights, torch.no_grad():
        model(image)
    # Row 0, column 1 of 2x2.
    expected = weights[f'{name}.attn'][0, :, 1].unflatten(1, (2, 2))
    torch.testing.assert_close(maps, expected)


def test_a_window_sees_its_region_only():
    torch.manual_seed(0)
    model = FocalTransformer(FOCAL, border='mask')
    maps = maps_of(model, 'stages.0.blocks.0', (0.3, 0.3))
    assert maps.shape == (2, 16, 16)
    torch.testing.assert_close(maps.sum((1, 2)), torch.ones(2))
    # The query is in the window of tokens 4 to 7, which reaches 1 further.
    seen = torch.zeros(16, 16, dtype=torch.bool)
    seen[3:9, 3:9] = True
    assert (maps[:, seen] > 0).all()
    assert (maps[:, ~seen] == 0).all()


def test_attention_pictures(scenes, tmp_path, capsys):
    cfg = tiny_config('seg', scenes)
    cfg.model.backbone = dict(
        type='mmvit.FocalTransformer', arch=FOCAL, drop_path_rate=0.1
    )
    config = write(cfg, tmp_path / 'config.py')
    image = str(scenes / 'img_dir' / 'val' / 'val_0.jpg')
    tool = load_tool('visualization/attention_map')
    tail = ['--out-dir', str(tmp_path / 'out')]
    tool.main([config, 'none', image, '--point', '20', '30', *tail])
    assert 'random' in capsys.readouterr().out
    files = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert files == [f'stages.0.blocks.0.head-{head}.png' for head in (0, 1)]
    picture = cv2.imread(str(tmp_path / 'out' / files[0]))
    original = cv2.imread(image)
    assert picture.shape == original.shape
    assert picture[30, 20].tolist() == [0, 0, 255]
    assert (picture <= original.astype(int) + 1).all(-1).mean() > 0.95
    for wrong, message in (
        (['--point', '99', '0'], 'outside'),
        (['--block', 'stages.9'], 'no block'),
        (['--block', 'stages.0'], 'no attention'),
    ):
        with pytest.raises(SystemExit, match=message):
            tool.main([config, 'none', image, *wrong, *tail])


def test_receptive_fields(tmp_path, capsys):
    tool = load_tool('visualization/receptive_field')
    assert tool.focal_field([(1, 13), (7, 7)]) == (169 + 49, 49)
    assert tool.curve(4, 5) == [(25, 5), (50, 10), (75, 20)]
    tool.main(['--out', str(tmp_path / 'field.png')])
    assert '49 keys' in capsys.readouterr().out
    picture = cv2.imread(str(tmp_path / 'field.png'))
    assert np.ptp(picture) == 255
    with pytest.raises(SystemExit):
        tool.main(['--region', '0', '--out', str(tmp_path / 'x.png')])
    assert '0 is below 1' in capsys.readouterr().err
