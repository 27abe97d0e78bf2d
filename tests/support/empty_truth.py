"""Detectors on images without any object, in one process or two."""

from pathlib import Path

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.structures import InstanceData
from torch import nn

from mmvit.apis.config import build_model, load_config

from .tiny import ARCH

ROOT = Path(__file__).resolve().parents[2]
SIDE = 64


def shipped_detectors() -> dict[str, str]:
    """A config file for each kind of detector in configs, by its name.

    It is found without loading configs, which would take long.
    """
    found = {}
    for path in sorted((ROOT / 'configs').glob('*/*_coco.py')):
        if 'backbone' in path.read_text():
            found.setdefault(path.stem.partition('_')[0], str(path))
    return found


def small(path: str) -> nn.Module:
    """The detector of a config, with a backbone of some thousand weights."""
    cfg: Config = load_config(path)
    levels = cfg.model.backbone.get('out_indices', range(4))
    cfg.model.backbone = dict(
        type='mmvit.PVT', arch=ARCH, img_size=SIDE, out_indices=tuple(levels)
    )
    neck = cfg.model.neck
    (neck[0] if isinstance(neck, list) else neck)['in_channels'] = [
        ARCH['embed_dims'][level] for level in levels
    ]
    torch.manual_seed(0)
    model = build_model(cfg)
    model.init_weights()
    model.train()
    return model


def batch(number: int, objects: int) -> dict:
    """Images with so many objects each."""
    samples = []
    for _ in range(number):
        corner = torch.rand(objects, 2) * SIDE / 2
        truth = InstanceData(
            bboxes=torch.cat([corner, corner + SIDE / 3], dim=1),
            labels=torch.zeros(objects, dtype=torch.long),
            masks=BitmapMasks(
                torch.ones(objects, SIDE, SIDE, dtype=torch.uint8).numpy(),
                SIDE,
                SIDE,
            ),
        )
        sample = DetDataSample(gt_instances=truth, ignored_instances=truth[:0])
        sample.set_metainfo(
            dict(
                img_shape=(SIDE, SIDE),
                ori_shape=(SIDE, SIDE),
                pad_shape=(SIDE, SIDE),
                batch_input_shape=(SIDE, SIDE),
                scale_factor=(1.0, 1.0),
            )
        )
        samples.append(sample)
    images = [
        torch.randint(0, 256, (3, SIDE, SIDE), dtype=torch.uint8)
        for _ in range(number)
    ]
    return dict(inputs=images, data_samples=samples)


def step(model: nn.Module, data: dict) -> list[str]:
    """Run forward and backward.

    Returns:
        What is wrong: losses that are not finite, parameters without a
        finite gradient.
    """
    network = getattr(model, 'module', model)
    model.zero_grad()
    data = network.data_preprocessor(data, training=True)
    losses = model(**data, mode='loss')
    loss, parts = network.parse_losses(losses)
    wrong = [n for n, part in parts.items() if not part.isfinite().all()]
    loss.backward()
    return wrong + [
        name
        for name, parameter in network.named_parameters()
        if parameter.requires_grad
        and (parameter.grad is None or not parameter.grad.isfinite().all())
    ]


def run_rank(rank: int, store: str, paths: list[str]) -> None:
    """Be one of two processes; fails where something is wrong."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{store}', rank=rank, world_size=2
    )
    for path in paths:
        model = MMDistributedDataParallel(small(path))
        # Both empty, one of them empty; a parameter that the first pass did
        # not use is an error in the second.
        for objects in ((0, 0), (2, 0), (0, 2), (0, 0)):
            wrong = step(model, batch(1, objects[rank]))
            if wrong:
                raise AssertionError(f'{path}, {objects}: {wrong}')
    torch.distributed.destroy_process_group()
