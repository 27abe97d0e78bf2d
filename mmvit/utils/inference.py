"""What the tools share that run a model on single images."""

from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

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
