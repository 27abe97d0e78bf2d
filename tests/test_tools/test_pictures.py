"""The tools in tools/visualization/."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmvit.apis.config import build_model, load_config
from tests.support.helpers import load_tool
from tests.support.scenes import SPLITS
from tests.support.tiny import TASKS


@pytest.mark.parametrize('task', TASKS)
def test_browsing_draws_the_truth(task, trained, tmp_path):
    config, _ = trained(task)
    out = tmp_path / 'out'
    load_tool('visualization/browse_dataset').main(
        [config, '--out-dir', str(out), '--number', '2']
    )
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        'train_000000.png',
        f'train_{SPLITS["train"] - 1:06d}.png',
    ]
    picture = cv2.imread(str(out / names[0]))
    assert min(picture.shape[:2]) >= 384


def test_feature_maps(trained, scenes, tmp_path, capsys):
    config, checkpoint = trained('seg')
    image = str(scenes / 'img_dir' / 'val' / 'val_0.jpg')
    tool = load_tool('visualization/feature_map')
    out = tmp_path / 'out'
    tail = ['--out-dir', str(out)]
    tool.main([config, checkpoint, image, *tail])
    names = sorted(path.name for path in out.iterdir())
    assert names == [f'stages.{stage}.blocks.0.png' for stage in range(4)]
    picture = cv2.imread(str(out / names[0]))
    assert picture.shape == (64, 128, 3)
    original = cv2.imread(image)
    assert np.abs(picture[:, :64].astype(int) - original).mean() < 2
    assert np.abs(picture[:, 64:].astype(int) - original).mean() > 10
    tool.main([config, 'none', image, '--blocks', 'stages.1.blocks.0', *tail])
    assert 'random' in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r'there are: stages.0.blocks.0'):
        tool.main(
            [config, 'none', image, '--blocks', 'stages.0.blocks.7', *tail]
        )


@pytest.fixture
def setr(trained, scenes):
    """Config file of a small SETR, and an image."""
    config, _ = trained('seg')
    model = dict(
        backbone=dict(
            _delete_=True,
            type='mmvit.SETRViT',
            arch=dict(embed_dims=16, depth=3, num_heads=2, mlp_ratio=2),
            img_size=64,
            patch_size=8,
        ),
        neck=None,
        decode_head=dict(
            _delete_=True,
            type='mmvit.SETRPUPHead',
            in_channels=16,
            channels=8,
            num_classes=3,
        ),
    )
    path = Path(config).with_name('setr.py')
    path.write_text(f'_base_ = {config!r}\nmodel = {model!r}\n')
    return str(path), str(scenes / 'img_dir' / 'val' / 'val_0.jpg')


def test_feature_maps_of_encoder_and_decoder(setr, tmp_path):
    out = tmp_path / 'out'
    names = [
        'blocks.0',
        'blocks.2',
        'decode_head.steps.3',
        'decode_head.conv_seg',
    ]
    load_tool('visualization/feature_map').main(
        [setr[0], 'none', setr[1], '--blocks', *names, '--out-dir', str(out)]
    )
    for name in names:
        assert cv2.imread(str(out / f'{name}.png')).shape == (64, 128, 3)


def test_feature_map_is_the_layers_output(setr, tmp_path):
    tool = load_tool('visualization/feature_map')
    model = build_model(load_config(setr[0])).eval()
    found = []
    tool.record(model.backbone.blocks[2], True, found)
    with torch.no_grad():
        (out,) = model.backbone(torch.rand(1, 3, 48, 40))
    torch.testing.assert_close(found, [out[0]])


def test_position_similarity(setr, tmp_path, capsys):
    tool = load_tool('visualization/position_similarity')
    table = torch.zeros(1, 2, 3, 2)
    table[..., 0] = 1
    table[0, 1, 2] = torch.tensor([0.0, 5.0])
    values = tool.similarity(table)
    assert values.shape == (2, 3, 2, 3)
    assert values[0, 0, 1, 1] == 1 and values[0, 0, 1, 2] == 0
    assert tool.chosen(24, 4) == [2, 8, 14, 20]
    assert tool.chosen(3, 8) == [0, 1, 2]
    out = tmp_path / 'positions.png'
    tool.main([setr[0], 'none', '--tiles', '4', '--out', str(out)])
    assert 'backbone.position.table' in capsys.readouterr().out
    assert cv2.imread(str(out)).shape == (30 + 4 * 102, 30 + 4 * 102, 3)
    beit = ['--cfg-options', 'model.backbone.relative_position=True']
    with pytest.raises(SystemExit, match='no position table'):
        tool.main([setr[0], 'none', '--out', str(out), *beit])


def test_attention_rollout(setr, tmp_path):
    tool = load_tool('visualization/attention_rollout')
    first = torch.tensor([[0.0, 1.0], [0.5, 0.5]])
    second = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    totals = tool.rollout([first, second])
    expected = torch.tensor([[0.5, 0.5], [0.25, 0.75]])
    torch.testing.assert_close(totals[0], expected)
    # The second layer's point takes half of token 0 and half of its own.
    torch.testing.assert_close(totals[1][1], expected[0] / 2 + expected[1] / 2)
    model = build_model(load_config(setr[0])).eval()
    layers = tool.layer_attention(model.backbone, torch.rand(1, 3, 40, 48))
    assert [tuple(layer.shape) for layer in layers] == [(31, 31)] * 3
    torch.testing.assert_close(layers[2].sum(1), torch.ones(31))
    out = tmp_path / 'out'
    point = ['--point', '63', '0', '--out-dir', str(out)]
    tool.main([setr[0], 'none', setr[1], *point, '--layers', '1', '3'])
    names = sorted(path.name for path in out.iterdir())
    assert names == ['layer_01.png', 'layer_03.png']
    picture = cv2.imread(str(out / names[0]))
    assert picture.shape == (64, 64, 3)
    assert picture[0, 63].tolist() == [0, 0, 255]
    with pytest.raises(SystemExit, match='outside'):
        tool.main(
            [
                setr[0],
                'none',
                setr[1],
                '--point',
                '64',
                '0',
                '--out-dir',
                str(out),
            ]
        )
    with pytest.raises(SystemExit, match='no layer 4'):
        tool.main([setr[0], 'none', setr[1], *point, '--layers', '4'])


def test_attention_rollout_refuses_pyramids(trained, scenes, tmp_path):
    config, _ = trained('seg')
    image = str(scenes / 'img_dir' / 'val' / 'val_0.jpg')
    tail = ['--point', '1', '1', '--out-dir', str(tmp_path)]
    with pytest.raises(SystemExit, match='SETRViT'):
        load_tool('visualization/attention_rollout').main(
            [config, 'none', image, *tail]
        )
