"""Keys of a config that nothing reads are errors."""

import ast
import inspect
import os.path as osp
import re
from collections.abc import Iterable, Iterator
from functools import partial

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from mmvit.utils.text import did_you_mean
from mmvit.utils.types import type_name

# Top-level keys that mmengine, the libraries' tools, our tools and the Runner
# read
_READ = {
    *('activation_checkpointing', 'compile', 'custom_imports', 'gpu_ids'),
    *('detect_anomalous_params', 'efficient_conv_bn_eval', 'runner_type'),
    *('find_unused_parameters', 'model_wrapper_cfg', 'strategy', 'sync_bn'),
    *('tta_cfg', 'tta_model', 'tta_pipeline'),
    *(set(inspect.signature(Runner).parameters) - {'cfg'}),
}
# Names from before mmengine, and where their settings are now
_LEGACY = dict(
    checkpoint_config='default_hooks.checkpoint',
    data='train_dataloader, val_dataloader and test_dataloader',
    evaluation='val_evaluator, train_cfg.val_interval and '
    'default_hooks.checkpoint.save_best',
    fp16="optim_wrapper.type='AmpOptimWrapper'",
    log_config='default_hooks.logger and visualizer',
    lr_config='param_scheduler',
    optimizer='optim_wrapper.optimizer',
    optimizer_config='optim_wrapper.clip_grad',
    resume_from='resume=True with load_from',
    runner='train_cfg',
    seed='randomness.seed',
    total_epochs='train_cfg.max_epochs',
    workflow='train_cfg and val_cfg',
)
# Keys of dicts that no class receives, so that no class refuses a wrong key
_BY_NAME = (
    *('custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult'),
    *('flat_decay_mult', 'dwconv_decay_mult', 'dcn_offset_lr_mult'),
    'bypass_duplicate',
)
_BY_LAYER = (
    *_BY_NAME,
    *('num_layers', 'decay_rate', 'layer_decay_rate', 'decay_type'),
)
_PARAMWISE = dict(
    DefaultOptimWrapperConstructor=_BY_NAME,
    LearningRateDecayOptimizerConstructor=_BY_LAYER,
    LayerDecayOptimizerConstructor=_BY_LAYER,
    LearningRateDecayOptimWrapperConstructor=_BY_LAYER,
    LayerDecayOptimWrapperConstructor=(*_BY_NAME, 'layer_decay_rate'),
)
_OF_CUSTOM_KEYS = ('lr_mult', 'decay_mult')
_SECTIONS = {
    'auto_scale_lr': ('enable', 'base_batch_size'),
    'env_cfg': ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'),
    'env_cfg.mp_cfg': (
        *('mp_start_method', 'opencv_num_threads'),
        *('omp_num_threads', 'mkl_num_threads'),
    ),
}
_HOOKS = (
    *('checkpoint', 'logger', 'timer', 'param_scheduler', 'sampler_seed'),
    *('runtime_info', 'sync_buffer', 'visualization', 'ema'),
)


_hint = partial(did_you_mean, cutoff=0.7)


def _written(node: ast.AST) -> str:
    # Only one of two copies may name the library that a base came from.
    return re.sub(r"_scope_='\w+'(, )?", '', ast.unparse(node))


def _text_of(path: str) -> str:
    try:
        with open(path, encoding='utf-8') as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{path} is not in UTF-8 (byte {error.start}): save it as UTF-8'
        ) from error
    if text.startswith('\ufeff'):
        raise ValueError(
            f'{path} begins with a byte order mark: save it as UTF-8 without '
            'BOM'
        )
    return text


class _File:
    """The names that a Python config file assigns and uses."""

    def __init__(self, path: str) -> None:
        self.text = _text_of(path)
        tree = ast.parse(self.text)
        self.assignments = [
            (name.id, statement.lineno, statement.value)
            for statement in tree.body
            if isinstance(statement, (ast.Assign, ast.AnnAssign))
            and statement.value
            for name in ast.walk(statement)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        ]
        self.assigned = {
            name: line
            for name, line, value in self.assignments
            # `name = None` removes a base's variable.
            if not (isinstance(value, ast.Constant) and value.value is None)
        }
        # `name`, and `_base_.name`
        self.used = {
            node.attr if isinstance(node, ast.Attribute) else node.id
            for node in ast.walk(tree)
            if isinstance(node, (ast.Attribute, ast.Name))
            and isinstance(node.ctx, ast.Load)
        }
        self.bases = [
            osp.join(osp.dirname(path), str(node.value))
            for name, _, value in self.assignments
            if name == '_base_'
            for node in ast.walk(value)
            if isinstance(node, ast.Constant) and '::' not in str(node.value)
        ]

    def uses(self, name: str) -> bool:
        """Whether the file, or a resolved copy of it, reads a name."""
        # The older form is `{{_base_.name}}` in a string.
        if name in self.used or f'_base_.{name}' in self.text:
            return True
        return not self.bases and self._is_copied(name)

    def _is_copied(self, name: str) -> bool:
        # mmengine's resolved copy of a config has variables and their values.
        values = {_written(v) for n, _, v in self.assignments if n == name}
        return any(
            _written(node) in values
            for other, _, value in self.assignments
            if other != name
            for node in ast.walk(value)
            if isinstance(node, ast.expr)
        )


def _chain(path: str) -> Iterator[tuple[str, _File]]:
    """Yield a file and its bases, without those of installed libraries."""
    if osp.isfile(path) and path.endswith('.py'):
        file = _File(path)
        yield path, file
        for base in file.bases:
            yield from _chain(base)


def _complain(name: str, place: str) -> str:
    if name in _LEGACY:
        hint = f'its place in mmengine is {_LEGACY[name]}'
    else:
        hint = _hint(name, _READ) or (
            'remove it, or begin its name with "_" if it is a note of your '
            'own. A variable of a base file was used when that was read: set '
            'the keys that it went into'
        )
    return f'{place}: top-level key {name!r} is read by nothing; {hint}'


def check_files(path: str, seen: tuple[str, ...] = ()) -> None:
    """Check that a Python config and its bases can be read.

    Raises:
        ValueError: If a file is empty, not Python or not in UTF-8, or if
            bases lead back
            to a file that inherits from them.
    """
    if not (osp.isfile(path) and path.endswith('.py')):
        return
    place = osp.realpath(path)
    if place in seen:
        circle = ' -> '.join([*seen[seen.index(place) :], place])
        raise ValueError(f'_base_ goes in a circle: {circle}')
    try:
        file = _File(path)
    except SyntaxError as error:
        line = (error.text or '').strip()
        raise ValueError(
            f'{path}:{error.lineno or 1}: {error.msg}: {line}'.rstrip(': ')
        ) from error
    if not file.text.strip():
        raise ValueError(f'{path} is empty: it needs a _base_ or a model')
    for base in file.bases:
        if not osp.exists(base) and '{{' not in base:
            raise FileNotFoundError(
                f'{path} names a _base_ that does not exist: {base}'
            )
        check_files(base, (*seen, place))


def unread_keys(path: str) -> Iterator[str]:
    """Find the top-level keys of a config file that nothing reads.

    A key that the rest of the file, or a file that inherits from it, uses as
    a variable is read. A base that holds nothing but variables may hold more
    than are used. Bases from installed libraries are not checked. Each key
    gets a message.
    """
    files = list(_chain(path))
    if len(files) == 1 and {'launcher', 'work_dir'} <= {*files[0][1].assigned}:
        return  # A work dir's copy, whose original was checked
    for index, (place, file) in enumerate(files):
        # Its own bases were read before, so they cannot use its variables.
        readers = [reader for _, reader in files[: index + 1]]
        # A base of nothing but variables offers a choice.
        offers = index > 0 and _READ.isdisjoint(file.assigned)
        for name, line in file.assigned.items():
            if not (
                name in _READ
                or name.startswith('_')
                or (offers and name not in _LEGACY)
                or any(reader.uses(name) for reader in readers)
            ):
                yield _complain(name, f'{place}:{line}')


def unread_options(cfg_options: dict) -> Iterator[str]:
    """Find the options of a command line that nothing reads."""
    for option in cfg_options:
        name = option.partition('.')[0]
        if name not in _READ and not name.startswith('_'):
            yield _complain(name, f'--cfg-options {option}')


def check_top_level(lines: Iterable[str]) -> None:
    """Raise what `unread_keys` or `unread_options` found, if anything."""
    if lines := list(lines):
        raise ValueError('\n'.join(['keys of the config:', *lines]))


def _known_sub_keys(cfg: Config) -> dict[str, Iterable[str]]:
    wrapper = cfg.get('optim_wrapper')
    if not isinstance(wrapper, dict):
        return _SECTIONS
    kind = wrapper.get('constructor', 'DefaultOptimWrapperConstructor')
    known = _PARAMWISE.get(type_name(dict(type=kind)))
    if known is None:
        return _SECTIONS
    return {**_SECTIONS, 'optim_wrapper.paramwise_cfg': known}


def check_sub_keys(cfg: Config, hooks: Iterable[str] = ()) -> None:
    """Check the keys of the parts of a config that no class receives.

    `hooks` are the names of default hooks besides those of mmengine.
    """
    lines = []
    for section, known in _known_sub_keys(cfg).items():
        value = cfg
        for part in section.split('.'):
            value = (value or {}).get(part)
        for key in value if isinstance(value, dict) else ():
            if key not in known:
                hint = _hint(key, known) or f'it has {", ".join(known)}'
                lines.append(f'{section}.{key} is read by nothing; {hint}')
    known = (*_HOOKS, *hooks)
    for key, hook in (cfg.get('default_hooks') or {}).items():
        hint = _hint(key, known)
        # mmengine accepts a hook by any other name if it has a type.
        has_type = isinstance(hook, dict) and 'type' in hook
        if key not in known and (hint or not has_type):
            hint = hint or f'known are {", ".join(known)}.'
            lines.append(
                f'default_hooks.{key} is no default hook; {hint} '
                'Hooks of your own go into custom_hooks'
            )
    check_top_level(lines)


def check_custom_keys(
    optim_wrapper: OptimWrapper | dict, model: nn.Module
) -> None:
    """Check that each entry of `paramwise_cfg.custom_keys` has an effect.

    An entry that resembles a part of a parameter's name is misspelt. Others
    are told in the log: the libraries' schedules name parameters that only
    some of their own models have, such as Swin's `absolute_pos_embed`.

    Raises:
        ValueError: If an entry is misspelt.
    """
    if not isinstance(optim_wrapper, dict):
        return
    paramwise = optim_wrapper.get('paramwise_cfg') or {}
    names = [name for name, _ in model.named_parameters()]
    parts = {part for name in names for part in name.split('.')}
    misspelt = []
    for key, entry in (paramwise.get('custom_keys') or {}).items():
        for name in entry if isinstance(entry, dict) else ():
            # Others are settings of torch's groups of parameters.
            hint = _hint(name, _OF_CUSTOM_KEYS)
            if hint and name not in _OF_CUSTOM_KEYS:
                misspelt.append(
                    f'optim_wrapper.paramwise_cfg.custom_keys[{key!r}].{name} '
                    f'is read by nothing; {hint}'
                )
        if any(key in name for name in names):
            continue
        hint = _hint(key, parts)
        line = (
            f'optim_wrapper.paramwise_cfg.custom_keys[{key!r}] is part of no '
            "parameter's name"
        )
        if hint:
            misspelt.append(f'{line}; {hint}')
        else:
            print_log(f'{line} and has no effect', 'current')
    if misspelt:
        raise ValueError('\n'.join(misspelt))
