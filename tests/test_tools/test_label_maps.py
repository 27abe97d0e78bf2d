"""From a trained classifier over its label maps to one with token labels."""

import pytest
import torch

from mmvit.apis.config import build_model
from tests.support.helpers import load_tool, losses
from tests.support.scenes import SPLITS
from tests.support.tiny import ARCH, tiny_config, write_config

MAPS = 'dataset_converters/label_maps'


def teacher(scenes, **options):
    return tiny_config('cls', scenes, **options)


def write_weights(cfg, path):
    model = build_model(cfg)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), path)
    return model.eval()


def test_maps_are_written_and_trained_with(scenes, command, tmp_path):
    cfg = teacher(
        scenes,
        model__backbone__with_cls_token=False,
        model__neck=dict(type='GlobalAveragePooling'),
    )
    model = write_weights(cfg, tmp_path / 'teacher.pth')
    tool = load_tool(MAPS)
    tool.main(
        [
            write_config(cfg, tmp_path / 'teacher.py'),
            str(tmp_path / 'teacher.pth'),
            *('--out-dir', str(tmp_path / 'maps'), '--size', '96'),
            *('--topk', '1', '--batch-size', '3', '--device', 'cpu'),
            *('--num-workers', '0'),
        ]
    )
    paths = sorted((tmp_path / 'maps').rglob('*.pt'))
    assert len(paths) == SPLITS['train']
    assert {path.parent.name for path in paths} == {'round', 'square'}
    labels = torch.load(paths[0], weights_only=True)
    assert labels.shape == (2, 1, 3, 3) and labels.dtype == torch.half
    # A cell that is alone on its map has the image's logits.
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            tool.logits_of_cells(model, image)[:, :, 0, 0], model(image)
        )

    student = teacher(
        scenes,
        model__backbone__with_cls_token=False,
        data_preprocessor__type='mmvit.TokenLabelPreprocessor',
        data_preprocessor__num_classes=2,
        model__train_cfg=dict(augments=[dict(type='mmvit.MixToken')]),
        model__head=dict(
            _delete_=True,
            type='mmvit.TokenLabelHead',
            num_classes=2,
            in_channels=ARCH['embed_dims'][-1],
        ),
    )
    student.train_dataloader.dataset.pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='mmvit.LoadTokenLabels', root=str(tmp_path / 'maps')),
        dict(
            type='mmvit.CropWithTokenLabels',
            crop=dict(type='RandomResizedCrop', scale=64),
        ),
        dict(type='RandomFlip', prob=0.5, direction='horizontal'),
        dict(
            type='PackInputs',
            algorithm_keys=('token_labels', 'token_label_box'),
        ),
    ]
    assert len(losses(command('train', student))) == 4


def test_a_backbone_without_a_map(scenes, tmp_path, fresh_runs):
    cfg = teacher(scenes)
    model = write_weights(cfg, tmp_path / 'teacher.pth')
    with pytest.raises(SystemExit, match='with_cls_token=False'):
        load_tool(MAPS).logits_of_cells(model, torch.rand(1, 3, 64, 64))


def test_top_scores_of_each_cell():
    logits = torch.randn(7, 2, 3)
    labels = load_tool(MAPS).to_label_map(logits, 5)
    assert labels.shape == (2, 5, 2, 3)
    order = logits[:, 1, 2].argsort(descending=True)[:5]
    assert labels[1, :, 1, 2].tolist() == order.tolist()
    torch.testing.assert_close(labels[0, :, 1, 2], logits[order, 1, 2].half())
    many = load_tool(MAPS).to_label_map(torch.arange(5000.0)[:, None, None], 1)
    assert many.flatten().tolist() == [4999, 4999], 'not in half floats'


def test_maps_stay_in_their_folder(tmp_path):
    save_map = load_tool(MAPS).save_map
    labels, out = torch.zeros(2, 1, 1, 1), str(tmp_path / 'maps')
    for name in ('folder/../victim.jpg', '/victim.jpg', '../victim.jpg'):
        with pytest.raises(ValueError, match='outside of'):
            save_map(labels, name, out, depth=2)
    assert not list(tmp_path.iterdir())
    save_map(labels, '/data/class/image.jpg', out, depth=2)
    assert (tmp_path / 'maps/class/image.pt').is_file()
