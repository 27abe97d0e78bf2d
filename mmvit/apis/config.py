"""Configs of any task: loading them and building their models."""

import argparse
import copy
from json import JSONDecodeError
from traceback import walk_tb

from mmengine.config import Config, DictAction
from mmengine.registry import MODELS, init_default_scope
from torch import nn
from yaml import YAMLError

from mmvit.checkpoints import guard_loading, trust_checkpoint
from mmvit.engine.guards.config_keys import check_files
from mmvit.engine.guards.failed_part import named_part
from mmvit.names import find_config


def parse_cfg_options(entries: list[str]) -> dict:
    """Turn the `KEY=VALUE` texts of `--cfg-options` into keys and values.

    mmengine reads the values, as in the libraries' own tools.
    """
    found = argparse.Namespace()
    action = DictAction(['--cfg-options'], 'cfg_options', nargs='+')
    try:
        action(argparse.ArgumentParser(), found, entries)
    except AssertionError as error:
        raise ValueError(f'--cfg-options: {error}') from error
    return found.cfg_options


def _inherited(error: Exception, path: str) -> str:
    """Return the base that an error is about, or the config itself."""
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code.co_name == '_file2dict':
            path = frame.f_locals['filename']
    return path


def _from_file(path: str) -> Config:
    try:
        return Config.fromfile(path)
    except (RecursionError, JSONDecodeError, YAMLError) as error:
        # mmengine reads a copy of another name.
        reason = error.__cause__ or error
        text = f'{_inherited(error, path)} cannot be read: {reason}'
        raise ValueError(text) from error
    except AttributeError as error:
        if (place := _inherited(error, path)).endswith('.py'):
            raise
        raise ValueError(f'{place} must be a dict of keys') from error


def load_config(
    path: str, cfg_options: dict | list[str] | None = None
) -> Config:
    """Load a config of any OpenMMLab library.

    Args:
        path: A file, a name of `mmvit.list_models`, or
            `mmdet::some/config.py` for one of an installed library (also
            `mmseg::`, `mmpretrain::`, `mmvit::`).
        cfg_options: Keys to set, `{'model.backbone.arch': 'tiny'}`, or the
            `KEY=VALUE` texts of a command line.

    Raises:
        ValueError: If a file is empty or is not Python, or if bases go in a
            circle.
    """
    endings = ('.py', '.json', '.yaml', '.yml')
    if '::' not in path and not path.endswith(endings):
        path = str(find_config(path))
    check_files(path)
    with guard_loading():  # for those in YAML
        if '::' in path:
            text = f'_base_ = [{path!r}]'
            cfg = Config.fromstring(text, file_format='.py')
        else:
            cfg = _from_file(path)
    if isinstance(cfg_options, list):
        cfg_options = parse_cfg_options(cfg_options)
    if cfg_options:
        try:
            cfg.merge_from_dict(cfg_options)
        except (KeyError, TypeError) as error:
            keys = ', '.join(cfg_options)
            text = f'these options do not fit {path}: {keys} ({error.args[0]})'
            raise ValueError(text) from error
    return cfg


def config_from_args(args: argparse.Namespace) -> Config:
    """Load a command line's config; its library is the default from here on.

    Args:
        args: Has `config`, `cfg_options` and `trust_checkpoint`.
    """
    for path in args.trust_checkpoint:
        trust_checkpoint(path)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    return cfg


def innermost_dataset(dataset: dict) -> dict:
    """Return the data set inside of its wrappers, such as RepeatDataset."""
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset


def preprocessor_of(cfg: Config) -> dict:
    """Return the config of the data preprocessor."""
    found = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor')
    return found or {}


def check_model(cfg: Config) -> None:
    """Refuse a config without a model.

    Raises:
        ValueError: If there is none.
    """
    if not isinstance(cfg.get('model'), dict):
        raise ValueError(
            f'{cfg.filename or "the config"} has no model: give it the _base_ '
            'of a model, or name the config that inherits from it'
        )


def input_channels(cfg: Config) -> int:
    """Return the channels of a model's images.

    They are those of the backbone, if its config has them, else one for each
    mean of the data.
    """
    backbone = cfg.model.get('backbone') or {}
    means = preprocessor_of(cfg).get('mean') or (0, 0, 0)
    return backbone.get('in_channels') or len(means)


def build_model(cfg: Config, device: str | None = None) -> nn.Module:
    """Build the model of a config of any task, without loading weights.

    Args:
        cfg: The config; its `default_scope` names the task's library.
        device: Where to put the model; None leaves it where torch builds it,
            so that `with torch.device('meta')` works.
    """
    check_model(cfg)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    model = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor'):
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    # Some models load weights while they are built, such as a teacher's.
    with guard_loading(), named_part(cfg):
        model = MODELS.build(model)
    return model if device is None else model.to(device)
