"""Models with their weights, and the images that they look at."""

import argparse
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner.checkpoint import load_state_dict
from torch import Tensor, nn

from mmvit.checkpoints import check_match, read_checkpoint, trust_checkpoint
from mmvit.utils.types import type_name
from mmvit.visualization.images import load_image, loading_step

from .config import build_model, config_from_args, innermost_dataset


def load_model(
    cfg: Config,
    checkpoint: str | None,
    device: str | None = None,
    trusted: Iterable[str] = (),
) -> nn.Module:
    """Build a config's model with its weights, in evaluation mode.

    Args:
        cfg: The config.
        checkpoint: File with all weights; None leaves them random.
        device: Where to put the model, as in `build_model`.
        trusted: Files that may execute code while they are loaded.

    Returns:
        The model. Its `dataset_meta` has the classes that it was trained on,
        if the checkpoint tells them.
    """
    for path in trusted:
        trust_checkpoint(path)
    model = build_model(cfg, device)
    model.dataset_meta = {}
    if checkpoint:
        found = read_checkpoint(checkpoint)
        weights = found['state_dict']
        check_match(model, weights, checkpoint, min_matched=1.0)
        load_state_dict(model, weights)
        meta = found.get('meta', {})
        model.dataset_meta = meta.get('dataset_meta') or {}
    else:
        print_log('No checkpoint is given: the weights are random')
    # Not chained: some libraries' eval() returns None.
    model.eval()
    return model


def load_from_args(args: argparse.Namespace) -> tuple[Config, nn.Module]:
    """Load the config and the model that a tool's command line names.

    Args:
        args: Has `checkpoint`, and what `config_from_args` needs. With a
            `device`, None is a GPU if there is one; without, the model is on
            the CPU.
    """
    cfg = config_from_args(args)
    device = (args.device or get_device()) if 'device' in args else None
    return cfg, load_model(cfg, args.checkpoint, device)


def class_names(cfg: Config, model: nn.Module) -> dict:
    """Find the classes that a model was trained on, or those of its data set.

    The checkpoint tells the former. The latter are the config's, or those of
    the data set's class, such as ImageNet's.

    Raises:
        ValueError: If neither the checkpoint nor the config has them.
    """
    loader = cfg.get('test_dataloader') or {}
    dataset = innermost_dataset(loader.get('dataset') or {})
    kind, scope = dataset.get('type'), dataset.get('_scope_')
    if isinstance(kind, str):
        scope = scope or cfg.get('default_scope')
        with DATASETS.switch_scope_and_registry(scope) as registry:
            kind = registry.get(kind)
    for meta in (
        model.dataset_meta,
        dataset.get('metainfo') or {},
        getattr(kind, 'METAINFO', {}),
    ):
        if 'classes' in meta:
            return dict(meta)
    raise ValueError(
        'neither the checkpoint nor the config has the names of the classes: '
        'set test_dataloader.dataset.metainfo.classes'
    )


def build_test_pipeline(cfg: Config) -> Compose:
    """Build a config's test pipeline for images without annotations."""
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    steps = innermost_dataset(cfg.test_dataloader.dataset).pipeline
    return Compose(
        [s for s in steps if not type_name(s).endswith('LoadAnnotations')]
    )


class ModelInput(NamedTuple):
    """An image as it is on disk and as a model gets it.

    Args:
        image: RGB, (H, W, 3).
        inputs: The model's input (1, C, H', W').
        share: The shares of the input's height and width that are not
            padding, which lies at the bottom and at the right.
    """

    image: np.ndarray
    inputs: Tensor
    share: tuple[float, float]

    @property
    def middle(self) -> tuple[int, int]:
        """The pixel (x, y) in the middle of the image."""
        height, width = self.image.shape[:2]
        return width // 2, height // 2

    def place_of(self, point: tuple[int, int]) -> tuple[float, float]:
        """Convert a pixel (x, y) to shares of the input's width and height.

        Raises:
            ValueError: If the pixel is outside of the image.
        """
        (x, y), (height, width) = point, self.image.shape[:2]
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(
                f'point {x} {y} is outside of the image, {width}x{height}'
            )
        down, right = self.share
        return (x + 0.5) / width * right, (y + 0.5) / height * down

    def without_padding(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the rows and columns of a map that are not padding."""
        pairs = zip(size, self.share)
        return tuple(max(1, round(side * share)) for side, share in pairs)


def read_image(cfg: Config, model: nn.Module, path: str) -> ModelInput:
    """Read an image file and prepare it as the config's test does."""
    pipeline = build_test_pipeline(cfg)
    data = pipeline(dict(img_path=path, img_id=0))
    batch = model.data_preprocessor(pseudo_collate([data]), False)
    inputs = batch['inputs']
    height, width = batch['data_samples'][0].img_shape[:2]
    share = height / inputs.shape[2], width / inputs.shape[3]
    image = load_image(loading_step(pipeline), path)
    return ModelInput(image, inputs, share)
