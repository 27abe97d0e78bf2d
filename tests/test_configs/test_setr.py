"""The recipes of configs/setr against the paper."""

import copy
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmseg.registry import DATASETS
from mmseg.utils import register_all_modules
from torch import nn

from ..support.config_tools import (
    lr_curve,
    values_of,
)
from .recipes import (
    Folder,
    assert_tta,
)

SETR = Folder('setr')
CITYSCAPES = '_8xb1-80k_cityscapes-768x768'
ADE = '_8xb2-160k_ade20k-512x512'
CONTEXT = '_8xb2-80k_pascal-context-59-480x480'
DECODERS = ('naive', 'pup', 'mla')


@pytest.mark.parametrize('decoder', DECODERS)
@pytest.mark.parametrize(
    ('data', 'lr', 'iterations', 'window', 'stride', 'classes'),
    [
        (CITYSCAPES, 0.01, 80_000, 768, 512, 19),
        (CITYSCAPES.replace('80k', '40k'), 0.01, 40_000, 768, 512, 19),
        (ADE, 0.001, 160_000, 512, 341, 150),
        (CONTEXT, 0.001, 80_000, 480, 320, 59),
        (CONTEXT.replace('59', '60'), 0.001, 80_000, 480, 320, 60),
    ],
)
def test_recipe(decoder, data, lr, iterations, window, stride, classes):
    stem = f'setr-{decoder}_vit-l{data}'
    cfg = SETR.config(stem)
    curve = lr_curve(cfg, 1, stop=2000)
    assert curve[0] == pytest.approx(lr)
    left = (1 - 1999 / iterations) ** 0.9
    assert curve[-1] == pytest.approx((lr - 1e-4) * left + 1e-4, rel=1e-5)
    assert cfg.train_cfg.max_iters == iterations
    groups = SETR.groups(stem, optimizer=torch.optim.SGD)
    for name, group in groups.items():
        factor = 1 if name.startswith('backbone.') else 10
        assert group['lr'] == pytest.approx(factor * lr), name
        assert (group['momentum'], group['weight_decay']) == (0.9, 0)
    test_cfg = cfg.model.test_cfg
    assert test_cfg.mode == 'slide'
    assert test_cfg.crop_size == (window, window)
    assert test_cfg.stride == (stride, stride)
    assert cfg.model.backbone.img_size == window
    crops = list(values_of('crop_size', cfg.train_dataloader.to_dict()))
    assert crops == [(window, window)]
    heads = [cfg.model.decode_head, *cfg.model.auxiliary_head]
    assert {head.num_classes for head in heads} == {classes}
    losses = [head.loss_decode.get('loss_weight', 1.0) for head in heads]
    assert losses == [1.0] + [0.4] * (len(heads) - 1)


@pytest.mark.parametrize(
    ('decoder', 'size', 'main', 'auxiliary'),
    [
        ('naive', 'l', [24], [10, 15, 20]),
        ('pup', 'l', [24], [10, 15, 20, 24]),
        ('mla', 'l', [6, 12, 18, 24], [6, 12, 18, 24]),
        ('naive', 'b', [12], [3, 6, 9]),
        ('pup', 'b', [12], [5, 8, 10, 12]),
        ('mla', 'b', [3, 6, 9, 12], [3, 6, 9, 12]),
    ],
)
def test_layers_of_the_decoders(decoder, size, main, auxiliary):
    model = SETR.model(f'setr-{decoder}_vit-{size}{CITYSCAPES}')
    taps = [index + 1 for index in model.backbone.out_indices]

    def layers(index: int | list[int]) -> list[int]:
        indices = [index] if isinstance(index, int) else index
        return [taps[index] for index in indices]

    assert layers(model.decode_head.in_index) == main
    heads = model.auxiliary_head
    assert [layers(head.in_index)[0] for head in heads] == auxiliary
    assert len(model.backbone.blocks) == dict(b=12, l=24)[size]
    assert model.backbone.with_cls_token is (decoder != 'mla')
    width = dict(b=768, l=1024)[size]
    for head in heads:
        # Two layers: a convolution and the classifier.
        assert head.in_channels == width and len(head.steps) == 1
        kernel = head.steps[0][0].conv.kernel_size
        assert kernel == ((3, 3) if decoder == 'pup' else (1, 1))


@pytest.mark.parametrize('data', [CITYSCAPES, ADE])
@pytest.mark.parametrize('decoder', ['pup', 'mla'])
def test_encoders_of_other_weights(decoder, data):
    beit = SETR.model(f'setr-{decoder}_beit-l{data}').backbone
    assert isinstance(beit.position, nn.Identity) and beit.with_cls_token
    assert beit.blocks[0].attn.position_bias is not None
    assert beit.blocks[0].scale1.factor.shape == (1024,)
    deit = SETR.config(f'setr-{decoder}_deit-b{data}').model.backbone
    assert deit.arch == 'base'
    assert deit.init_cfg.checkpoint == (
        'checkpoints/deit_base_distilled_384.pth'
    )


def test_ablations():
    stem = f'setr-pup_vit-l-2step{CITYSCAPES}'
    head = SETR.model(stem).decode_head
    assert [step[1].scale_factor for step in head.steps] == [4, 4]
    stem = f'setr-naive_vit-l-no-aux{CITYSCAPES}'
    assert not SETR.model(stem).with_auxiliary_head
    stem = f'setr-pup_vit-l-scratch{CITYSCAPES}'.replace('80k', '40k')
    assert SETR.config(stem).model.backbone.init_cfg is None


@pytest.mark.parametrize(
    ('decoder', 'data', 'heights'),
    [
        ('mla', CITYSCAPES, (768, 768, 1024, 1280, 1536, 1792)),
        ('pup', ADE, (512, 512, 512, 640, 768, 896)),
        # The release only flips.
        ('mla', ADE, (512,)),
        ('naive', ADE, (512,)),
        ('mla', CONTEXT, (480, 480, 520, 650, 780, 910)),
    ],
)
def test_no_scale_of_the_test_is_smaller_than_its_window(
    decoder, data, heights
):
    cfg = SETR.with_tta(f'setr-{decoder}_vit-l{data}')
    ratio = 2 if data == CITYSCAPES else 4
    assert_tta(cfg, [(ratio * height, height) for height in heights])
    assert min(heights) == cfg.model.module.test_cfg.crop_size[0]


def draw(root: Path, img: str, ann: str, name: str, suffixes: list) -> None:
    for folder, suffix in zip((img, ann), suffixes):
        path = root / folder / f'{name}{suffix}'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((8, 16), np.uint8))


@pytest.mark.parametrize(('data', 'number'), [('trainval', 2), ('coarse', 3)])
def test_cityscapes_of_the_test_server(data, number, tmp_path):
    photo = '_leftImg8bit.png'
    for kind, split in (
        ('Fine', 'train'),
        ('Fine', 'val'),
        ('Coarse', 'train_extra'),
    ):
        draw(
            tmp_path,
            f'leftImg8bit/{split}/city',
            f'gt{kind}/{split}/city',
            'city_000000_000000',
            [photo, f'_gt{kind}_labelTrainIds.png'],
        )
    stem = f'setr-pup_vit-l_8xb1-100k_cityscapes-{data}-768x768'
    cfg = copy.deepcopy(SETR.config(stem))
    register_all_modules(init_default_scope=False)
    dataset = cfg.train_dataloader.dataset
    for part in dataset.datasets:
        part.update(_scope_='mmseg', data_root=str(tmp_path), pipeline=[])
        part.serialize_data = False  # it collects garbage, which takes long
    built = DATASETS.build(dict(dataset, _scope_='mmseg'))
    assert len(built) == number
    samples = [built[index] for index in range(number)]
    assert all(Path(s['seg_map_path']).is_file() for s in samples)
    assert len({s['img_path'] for s in samples}) == number
    test = cfg.test_dataloader.dataset
    assert 'LoadAnnotations' not in {step.type for step in test.pipeline}
    assert test.data_prefix.img_path == 'leftImg8bit/test'
    assert cfg.test_evaluator.format_only
    assert cfg.train_cfg.max_iters == 100_000


def test_ade20k_of_the_test_server():
    cfg = SETR.config('setr-mla_vit-l_8xb2-160k_ade20k-trainval-512x512')
    images = [
        part.data_prefix.img_path
        for part in cfg.train_dataloader.dataset.datasets
    ]
    assert images == ['images/training', 'images/validation']
    assert cfg.test_evaluator.format_only


def test_pascal_context_with_and_without_background():
    register_all_modules(init_default_scope=False)
    for decoder, classes in itertools.product(DECODERS, (59, 60)):
        stem = f'setr-{decoder}_vit-l{CONTEXT}'.replace('59', str(classes))
        cfg = SETR.config(stem)
        for loader in (cfg.train_dataloader, cfg.test_dataloader):
            dataset = loader.dataset
            names = DATASETS.get(dataset.type).METAINFO['classes']
            assert len(names) == cfg.model.decode_head.num_classes == classes
            # The data set says whether 0 is left out; no step contradicts.
            load = next(
                step
                for step in dataset.pipeline
                if step.type == 'LoadAnnotations'
            )
            assert 'reduce_zero_label' not in load
            assert names[0] == ('aeroplane' if classes == 59 else 'background')
