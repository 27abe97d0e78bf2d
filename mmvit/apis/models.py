"""Models and backbones by name, for people without configs."""

import contextlib
import copy
import logging
from collections.abc import Iterable, Sequence

from mmengine.config import Config
from mmengine.logging import MMLogger, print_log
from torch import nn

from mmvit.additions import describe_classifier
from mmvit.checkpoints import guard_loading, load_pretrained, read_state_dict
from mmvit.names import (
    backbone_models,
    name_of,
    near_it,
    published_weights,
    same_name,
)
from mmvit.registry import MODELS

from .config import load_config
from .inference import class_names, load_model

# What classification sets in a backbone, and what is chosen anew.
_OF_CLASSIFIERS = ('with_cls_token', 'final_norm', 'out_indices', 'init_cfg')


def _weights_of(pretrained: bool | str | None, name: str | None) -> str | None:
    """Return the file of weights that `pretrained` means."""
    if pretrained is not True:
        return str(pretrained) if pretrained else None
    weights = published_weights(name) if name else None
    if weights is None:
        raise ValueError(
            f'no published weights are known for {name or "this config"}: '
            'give a file or an address, or one of the names that '
            '`python -m mmvit.checkpoints.zoo` lists, such as '
            "pretrained='mmvit://pvt-s_in1k'"
        )
    return weights


def _draw_weights(model: nn.Module) -> None:
    """Draw the weights of a model as at the start of a training."""
    if any(weight.is_meta for weight in model.parameters()):
        return
    # mmengine reports each parameter, on the screen if there is no log file.
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with guard_loading():
            model.init_weights()
    finally:
        logger.setLevel(level)


def _drop_pretrained(model: dict) -> None:
    """Let a model's config load no weights of the backbone alone."""
    if 'pretrained' in model:
        model.pretrained = None
    if 'backbone' in model:
        model.backbone.init_cfg = None


def get_model(
    model: str | Config,
    pretrained: bool | str | None = None,
    device: str | None = None,
    cfg_options: dict | list[str] | None = None,
    trusted: Iterable[str] = (),
) -> nn.Module:
    """Build a model of any task, in evaluation mode.

    Args:
        model: A name of `mmvit.list_models`, the path of a config, a library's
            config such as `mmdet::retinanet/...py`, or a loaded config.
        pretrained: True takes the weights that the paper's authors have
            published, which are downloaded once; a text is a file, an address
            or `mmvit://NAME`; None draws the weights anew.
        device: Where to put the model, such as 'cuda'.
        cfg_options: Keys of the config to set, as in `load_config`.
        trusted: Files that may execute code while they are loaded.

    Returns:
        The model, with its config as `cfg` and the names of its classes in
        `dataset_meta`. `inference_detector` of mmdet, `inference_model` of
        mmseg and of mmpretrain take it.

    Raises:
        ValueError: If the name is not known, or if there are no published
            weights.
    """
    name = name_of(model) if isinstance(model, str) else None
    if isinstance(model, Config):
        cfg = copy.deepcopy(model)
        cfg.merge_from_dict(cfg_options or {})
    else:
        cfg = load_config(model, cfg_options)
    library = cfg.get('default_scope', 'mmengine')
    if name == model and (theirs := same_name(name, library)):
        print_log(f"{name!r} is mmvit's model; {library}'s is {theirs!r}")
    weights = _weights_of(pretrained, name)
    _drop_pretrained(cfg.model)
    built = load_model(cfg, weights, device, trusted)
    if weights is None:
        _draw_weights(built)
    built.cfg = built._config = cfg
    with contextlib.suppress(ValueError):  # without names of classes
        built.dataset_meta = class_names(cfg, built)
    built._dataset_meta = built.dataset_meta
    if library == 'mmpretrain':
        built._metainfo = describe_classifier(name or 'own', cfg)
    return built


def get_backbone(
    name: str,
    pretrained: bool | str | None = None,
    out_indices: Sequence[int] | None = None,
    **kwargs,
) -> nn.Module:
    """Build a backbone alone: an image in, maps out.

    Args:
        name: A name of `mmvit.list_backbones`, such as 'pvt-s',
            'focal-t-conv' or, for SETR's encoder, 'vit-l'.
        pretrained: As in `get_model`; of a file of a whole model its backbone
            is taken.
        out_indices: Stages whose maps are returned, counted from 0, such as
            (1, 2, 3). None is all four; for SETR's encoder it counts layers,
            and None is what the model with this backbone takes.
        **kwargs: Further arguments of the backbone's class, such as
            `in_channels`, `drop_path_rate`, `frozen_stages` or `with_cp`.

    Returns:
        The backbone, in training mode. Its `out_channels` and `out_strides`
        tell the channels of each map, and the pixels for a step in it.

    Shape: image (B, in_channels, H, W) -> a tuple of maps (B, C_i,
        ceil(H / s_i), ceil(W / s_i)).

    Raises:
        ValueError: If the name is not known, or if there are no published
            weights.
    """
    models = backbone_models()
    if name not in models:
        raise ValueError(
            f'mmvit has no backbone {name!r}{near_it(name, models)}. '
            'mmvit.list_backbones() has all names'
        )
    model = models[name]
    cfg = load_config(model).model.backbone
    if hasattr(MODELS.get(cfg.type), 'build_stages'):
        for key in (*_OF_CLASSIFIERS, 'drop_path_rate'):
            cfg.pop(key, None)
    if out_indices is not None:
        cfg.out_indices = out_indices
    built = MODELS.build({**cfg, 'init_cfg': None, **kwargs})
    _draw_weights(built)
    if weights := _weights_of(pretrained, model):
        load_pretrained(built, weights, backbone_prefix(weights))
    return built


def backbone_prefix(weights: str) -> str | None:
    """Return what precedes the backbone's names in a file of weights."""
    whole = any(
        key.startswith('backbone.') for key in read_state_dict(weights)
    )
    return 'backbone.' if whole else None
