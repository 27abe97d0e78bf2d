"""What the tools share that run a model on single images."""

import os.path as osp

import mmcv
import numpy as np
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import load_state_dict
from torch import Tensor, nn

from mmvit.checkpoints import check_match, read_checkpoint


def load_weights(model: nn.Module, path: str) -> dict:
    """Load all weights of a model, safely.

    Args:
        model: The model.
        path: Checkpoint.

    Returns:
        What the checkpoint holds besides.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a parameter of the model is not in it.
    """
    checkpoint = read_checkpoint(path)
    weights = checkpoint.pop('state_dict')
    check_match(model, weights, path, min_matched=1.0)
    load_state_dict(model, weights)
    return checkpoint


def build_test_pipeline(cfg: Config) -> Compose:
    """Build a config's test pipeline for images without annotations."""
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    return Compose(
        [
            step
            for step in dataset.pipeline
            if not step['type'].endswith('LoadAnnotations')
        ]
    )


def read_image(
    cfg: Config, model: nn.Module, path: str
) -> tuple[Tensor, np.ndarray, tuple[float, float]]:
    """Read an image as a model's test pipeline hands it over.

    Args:
        cfg: The model's config.
        model: The model, for its data preprocessor.
        path: Image file.

    Returns:
        The model's input (1, 3, H, W), the image as it is on disk, RGB, and
        the shares of the input's height and width that are not padding.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(f'no image at {path}')
    data = build_test_pipeline(cfg)(dict(img_path=path, img_id=0))
    batch = model.data_preprocessor(pseudo_collate([data]), False)
    inputs = batch['inputs']
    height, width = batch['data_samples'][0].img_shape[:2]
    share = height / inputs.shape[2], width / inputs.shape[3]
    return inputs, mmcv.imread(path, channel_order='rgb'), share
