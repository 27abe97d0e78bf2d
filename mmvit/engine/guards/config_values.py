"""Values of a config that libraries accept, or refuse without their key."""

import inspect
import math
from collections.abc import Iterator

from mmengine.config import Config
from mmengine.optim import OptimWrapper, _ParamScheduler
from torch import nn, optim
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from mmvit.utils.log import warn
from mmvit.utils.text import did_you_mean
from mmvit.utils.types import type_name

from .config_types import schedules_of, unknown_types

# Keys whose values are numbers in every class that has them
_NUMBERS = {
    *('lr', 'weight_decay', 'momentum', 'max_norm', 'clip_value'),
    *('accumulative_counts', 'batch_size', 'num_workers', 'max_epochs'),
    *('max_iters', 'val_interval', 'interval', 'max_keep_ckpts', 'begin'),
    *('end', 'T_max', 'power', 'eta_min', 'gamma', 'step_size'),
    *('start_factor', 'end_factor', 'num_classes', 'embed_dims', 'patience'),
    *('drop_rate', 'attn_drop_rate', 'drop_path_rate', 'base_batch_size'),
    *('dropout_ratio', 'val_begin', 'seed'),
}
# Those of which some classes take one for each of several parts
_NUMBERS_OF_PARTS = {'embed_dims', 'num_classes'}
_NOT_ZERO = {
    *('interval', 'val_interval', 'accumulative_counts', 'batch_size'),
    *('max_epochs', 'max_iters', 'T_max', 'step_size'),
}
_POSITIVE = _NOT_ZERO - {'interval'}
_SHARES = ('drop_rate', 'attn_drop_rate', 'drop_path_rate', 'dropout_ratio')
_SECTIONS = (
    *('model', 'optim_wrapper', 'param_scheduler', 'train_cfg'),
    *('train_dataloader', 'val_dataloader', 'test_dataloader'),
    *('default_hooks', 'custom_hooks', 'auto_scale_lr', 'randomness'),
)
_WARM_UPS = ('LinearLR', 'ConstantLR', 'LinearParamScheduler')


def _walk(value: object, key: str) -> Iterator[tuple[str, str, object]]:
    """Yield the full key, the last part and the value of nested dicts."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f'{key}.{name}', str(name), inner
            yield from _walk(inner, f'{key}.{name}')
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _walk(inner, f'{key}[{index}]')


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _are_counts(values: object) -> bool:
    return isinstance(values, (list, tuple)) and all(
        type(value) is int for value in values
    )


def _are_weights(values: object) -> bool:
    if not isinstance(values, (list, tuple)):
        return True  # one number for all, or the name of a file
    return all(
        isinstance(value, (int, float)) and 0 <= value < math.inf
        for value in values
    ) and any(values)


def _wrong_values(cfg: Config) -> Iterator[str]:
    for section in _SECTIONS:
        for key, name, value in _walk(cfg.get(section), section):
            if name in _NUMBERS and isinstance(value, str):
                cure = (
                    'write it without quotes'
                    if _is_number(value)
                    else 'write a number'
                )
                yield f'{key} is the text {value!r}: {cure}'
            elif (
                name in _NUMBERS - _NUMBERS_OF_PARTS
                and isinstance(value, (bool, dict, list, tuple))
                and value is not False
            ):
                yield f'{key} is {value}: write one number'
            elif name == 'batch_size' and value is None:
                yield f'{key} is None: write a number'
            elif name in _NOT_ZERO and value == 0 and value is not False:
                yield (
                    f'{key} is 0: nothing would ever happen there. Write 1 or '
                    'more (-1, or None for a hook, where it is to be off)'
                )
            elif (
                name in _NOT_ZERO
                and isinstance(value, (int, float))
                and ((name in _POSITIVE and value < 0) or value % 1)
            ):
                yield f'{key} is {value}: it is a count, a whole number from 1'
            elif (
                name == 'lr'
                and isinstance(value, (int, float))
                and not 0 <= value < math.inf
            ):
                yield f'{key} is {value}: write a number, 0 or more'
            elif (
                name in _SHARES
                and isinstance(value, (int, float))
                and not 0 <= value <= 1
            ):
                yield f'{key} is {value}: it is a share, from 0 to 1'


def _useless_values(cfg: Config) -> Iterator[str]:
    for section in _SECTIONS:
        for key, name, value in _walk(cfg.get(section), section):
            if section == 'param_scheduler' and name == 'factor' and not value:
                yield f'{key} is {value}: the learning rate would be 0'
            elif name == 'drop_path_rate' and value == 1:
                yield f'{key} is 1: the last block would always be dropped'
            elif name == 'milestones' and not _are_counts(value):
                yield f'{key} is {value!r}: write a list of whole numbers'
            elif name == 'class_weight' and not _are_weights(value):
                yield (
                    f'{key} is {value!r}: write a list of numbers that are 0 '
                    'or more, and not all 0'
                )


def _no_rate(cfg: Config) -> Iterator[str]:
    # Optimizers of other libraries may choose the rate themselves.
    wrapper = cfg.get('optim_wrapper')
    optimizer = wrapper.get('optimizer') if isinstance(wrapper, dict) else None
    if isinstance(optimizer, dict) and 'type' not in optimizer:
        yield "optim_wrapper.optimizer has no type: write type='AdamW'"
    elif isinstance(optimizer, dict) and hasattr(optim, type_name(optimizer)):
        if optimizer.get('lr', 0) is None:
            yield 'optim_wrapper.optimizer.lr is None: write a number'


def _clipping(cfg: Config) -> Iterator[str]:
    wrapper = cfg.get('optim_wrapper')
    clip = wrapper.get('clip_grad') if isinstance(wrapper, dict) else None
    if clip is None:
        return
    key = 'optim_wrapper.clip_grad'
    if not isinstance(clip, dict):
        yield f'{key} is {clip!r}: write dict(max_norm={clip!r})'
        return
    kind = clip.get('type', 'norm')
    functions = dict(norm=clip_grad_norm_, value=clip_grad_value_)
    if kind not in functions:
        yield f'{key}.type is {kind!r}: choose norm or value'
        return
    known = inspect.signature(functions[kind]).parameters
    for name in clip:
        if name not in ('type', *known):
            has = f'it has {", ".join(list(known)[1:])}'
            hint = did_you_mean(name, known) or has
            yield f'{key}.{name} is read by nothing; {hint}'
    norm = clip.get('norm_type', 2)
    if not (isinstance(norm, str) and _is_number(norm)) and not (
        isinstance(norm, (int, float)) and norm > 0
    ):
        yield f"{key}.norm_type is {norm!r}: write a number or 'inf'"
    limit = dict(norm='max_norm', value='clip_value')[kind]
    value = clip.get(limit)
    if value is None:
        yield f'{key} needs {limit}'
    elif not isinstance(value, str) and not value > 0:
        yield (
            f'{key}.{limit} is {value}: every gradient would be 0. Write '
            'a number above 0, or clip_grad=None'
        )


def _loop(cfg: Config) -> tuple[str, int] | None:
    """Return the unit and the length of the training loop, if known."""
    loop = cfg.get('train_cfg')
    if not isinstance(loop, dict):
        return None
    for unit in ('epoch', 'iter'):
        length = loop.get(f'max_{unit}s')
        if isinstance(length, int):
            return unit, length
    return None


def _still_schedules(cfg: Config) -> Iterator[str]:
    """Find schedules that no step of the loop moves."""
    loop = _loop(cfg)
    for index, one in enumerate(schedules_of(cfg)):
        key = f'param_scheduler[{index}] ({type_name(one)})'
        by_epoch = one.get('by_epoch', True)
        converted = one.get('convert_to_iter_based', False)
        if type_name(one).startswith('ReduceOnPlateau'):
            if not by_epoch or cfg.get('val_cfg') is None:
                yield (
                    f'{key} follows a metric, and would never move: it needs '
                    'by_epoch=True, also where train_cfg counts iterations, '
                    'and a validation (val_cfg)'
                )
            continue
        if not loop:
            continue
        unit, length = loop
        if unit == 'iter' and by_epoch and not converted:
            yield (
                f'{key} counts epochs, and train_cfg counts iterations: it '
                'would never move. Set by_epoch=False and give its lengths in '
                'iterations'
            )
        ends = one.get('end'), one.get('T_max')
        if unit == 'epoch' and not by_epoch and length > 1 and length in ends:
            yield (
                f'{key} counts iterations, and ends after {length}, which is '
                'the number of epochs of train_cfg. Set by_epoch=True (and '
                'convert_to_iter_based=True to move in each iteration), or '
                'give its lengths in iterations'
            )


def _span(schedule: _ParamScheduler) -> tuple[int, int]:
    """Return the steps of a schedule's first change and of its end."""
    begin, end = schedule.begin, schedule.end
    if milestones := getattr(schedule, 'milestones', None):
        return begin + min(milestones), end
    if step := getattr(schedule, 'step_size', None):
        return begin + step, end
    period = getattr(schedule, 'T_max', None)
    period = period or getattr(schedule, 'total_steps', None)
    return begin, begin + period if period else end


def check_ends(
    schedules: list[_ParamScheduler], max_epochs: int, max_iters: int
) -> None:
    """Warn of schedules that do not fit the length of a training.

    They have been built, so that the iterations of an epoch are known.

    Raises:
        ValueError: If a cycle has fewer steps than it would be asked for.
    """
    starts, ends = [], []
    for one in schedules:
        if not isinstance(one, _ParamScheduler):
            continue  # It follows a metric.
        name = type(one).__name__
        unit = 'epoch' if one.by_epoch else 'iter'
        length = max_epochs if one.by_epoch else max_iters
        first, last = _span(one)
        steps = getattr(one, 'total_steps', None)
        if steps and min(one.end, length) > last:
            raise ValueError(
                f'{name} has {steps} steps, and the training has {length} '
                f'{unit}s: mmengine would stop it with an error when they are '
                f'used up. Set total_steps={min(one.end, length) - first}'
            )
        of = f'{unit} {{}}, and the training has {length}'
        ends.append((last / length, f'{name} ends after {of.format(last)}'))
        if name not in _WARM_UPS:
            begins = f'{name} begins after {of.format(first)}'
            starts.append((first / length, begins))
        # Libraries' configs often count the warm-up twice.
        if last > 1.1 * length > first:
            warn(f'{ends[-1][1]}: it is cut off')
    if not starts:
        return
    if min(starts)[0] >= 1:
        warn(
            f'{min(starts)[1]}: the learning rate never changes after the '
            'warm-up'
        )
    elif max(ends)[0] < 1:
        warn(
            f'{max(ends)[1]}: after that the learning rate stays as it is, or '
            'goes back. Give the same end if this is not planned'
        )


def check_schedules(cfg: Config) -> None:
    """Check that the schedules of a training move with its loop.

    Raises:
        ValueError: If one counts what the loop does not.
    """
    if lines := list(_still_schedules(cfg)):
        raise ValueError('\n'.join(lines))


def check_values(cfg: Config) -> None:
    """Check the values of a config that would be useless or misread.

    Raises:
        ValueError: With the key of each.
    """
    checks = _wrong_values, _useless_values, unknown_types, _no_rate, _clipping
    lines = [line for check in checks for line in check(cfg)]
    if lines:
        raise ValueError('\n'.join(['values of the config:', *lines]))


def check_learning_rates(optim_wrapper: OptimWrapper) -> None:
    """Check that an optimizer moves some weight.

    Raises:
        ValueError: If the learning rate of every group of parameters is 0,
            or that of one is negative.
    """
    optimizer = getattr(optim_wrapper, 'optimizer', None)
    groups = optimizer.param_groups if optimizer else []
    if any(group['lr'] < 0 for group in groups):
        raise ValueError(
            'a learning rate is below 0, so that the loss would rise. Check '
            'the lr_mult of optim_wrapper.paramwise_cfg'
        )
    if groups and all(group['lr'] == 0 for group in groups):
        raise ValueError(
            'the learning rate of all parameters is 0: nothing would be '
            'trained. Check optim_wrapper.optimizer.lr, and the lr_mult of '
            'optim_wrapper.paramwise_cfg'
        )


def check_class_weights(model: nn.Module) -> None:
    """Check that losses have a weight for each class of their heads.

    mmdet's classifiers, `loss_cls`, have one more for the background, unless
    each class has a sigmoid of its own.

    Raises:
        ValueError: If there are more or fewer.
    """
    for name, head in model.named_modules():
        number = getattr(head, 'num_classes', None)
        if not isinstance(number, int):
            continue
        for part, loss in head.named_children():
            for one in loss if isinstance(loss, nn.ModuleList) else [loss]:
                weights = getattr(one, 'class_weight', None)
                wanted = {number}
                if part == 'loss_cls':
                    softmax = not getattr(one, 'use_sigmoid', False)
                    wanted = {number + 1} if softmax else {number, number + 1}
                if (
                    isinstance(weights, (list, tuple))
                    and len(weights) not in wanted
                ):
                    raise ValueError(
                        f'model.{name}.{part}.class_weight has '
                        f'{len(weights)} weights, and the head has {number} '
                        f'classes: write {max(wanted)}, one for each'
                        + ' and the background'
                        * (number not in wanted)
                    )
