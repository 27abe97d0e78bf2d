"""Classes that a config names and that do not exist, found with their keys."""

from collections.abc import Iterable, Iterator
from itertools import chain

from mmengine.config import Config
from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
    Registry,
)

from mmvit.utils.text import did_you_mean

# A registry, the key in the config, and the dict there
Named = tuple[Registry, str, object]
# Transforms whose own transforms are those of another library
_OTHERS = ('Albu', 'Albumentations')


def schedules_of(cfg: Config) -> list[dict]:
    """List the schedules of a config, of all its optimizers."""
    found = cfg.get('param_scheduler') or []
    found = [found] if isinstance(found, dict) and 'type' in found else found
    if isinstance(found, dict):  # several optimizers
        found = [one for some in found.values() for one in some]
    return [one for one in found if isinstance(one, dict)]


def _of_pipeline(steps: object, key: str) -> Iterator[Named]:
    if isinstance(steps, (list, tuple)):
        for index, step in enumerate(steps):
            yield from _of_pipeline(step, f'{key}[{index}]')
    elif isinstance(steps, dict):
        yield TRANSFORMS, key, steps
        if steps.get('type') not in _OTHERS:
            inner = steps.get('transforms')
            yield from _of_pipeline(inner, f'{key}.transforms')


def _of_dataset(dataset: object, key: str) -> Iterator[Named]:
    if not isinstance(dataset, dict):
        return
    yield DATASETS, key, dataset
    yield from _of_pipeline(dataset.get('pipeline'), f'{key}.pipeline')
    yield from _of_dataset(dataset.get('dataset'), f'{key}.dataset')
    for index, one in enumerate(dataset.get('datasets') or ()):
        yield from _of_dataset(one, f'{key}.datasets[{index}]')


def _of_evaluator(evaluator: object, key: str) -> Iterator[Named]:
    if isinstance(evaluator, (list, tuple)):
        for index, one in enumerate(evaluator):
            yield from _of_evaluator(one, f'{key}[{index}]')
    elif isinstance(evaluator, dict) and 'metrics' in evaluator:
        yield from _of_evaluator(evaluator['metrics'], f'{key}.metrics')
    else:
        yield METRICS, key, evaluator


def _of_split(cfg: Config, split: str) -> Iterator[Named]:
    key, loader = f'{split}_dataloader', cfg.get(f'{split}_dataloader')
    if isinstance(loader, dict):
        yield from _of_dataset(loader.get('dataset'), f'{key}.dataset')
        for part in ('sampler', 'batch_sampler'):
            yield DATA_SAMPLERS, f'{key}.{part}', loader.get(part)
    yield LOOPS, f'{split}_cfg', cfg.get(f'{split}_cfg')
    evaluator = cfg.get(f'{split}_evaluator')
    # Metrics of CocoMetric's kind have an argument `metric`, not `metrics`.
    yield from _of_evaluator(evaluator, f'{split}_evaluator')


def _all_of(cfg: Config) -> Iterator[Named]:
    model = cfg.get('model')
    yield MODELS, 'model', model
    for part, value in model.items() if isinstance(model, dict) else ():
        if part in ('backbone', 'neck') or part.endswith('head'):
            yield MODELS, f'model.{part}', value
    wrapper = cfg.get('optim_wrapper')
    yield OPTIM_WRAPPERS, 'optim_wrapper', wrapper
    if isinstance(wrapper, dict):
        optimizer = wrapper.get('optimizer')
        yield OPTIMIZERS, 'optim_wrapper.optimizer', optimizer
    for index, one in enumerate(schedules_of(cfg)):
        yield PARAM_SCHEDULERS, f'param_scheduler[{index}]', one
    for name, hook in (cfg.get('default_hooks') or {}).items():
        yield HOOKS, f'default_hooks.{name}', hook
    for index, hook in enumerate(cfg.get('custom_hooks') or ()):
        yield HOOKS, f'custom_hooks[{index}]', hook


def unknown_types(cfg: Config, splits: Iterable[str] = ()) -> Iterator[str]:
    """Find classes that no registry has; each gets a message with its key.

    `splits` are those of which data and evaluators are looked at, too.
    """
    scope = cfg.get('default_scope')
    seen = set()
    parts = [_of_split(cfg, split) for split in splits]
    for registry, key, one in chain(_all_of(cfg), *parts):
        kind = one.get('type') if isinstance(one, dict) else None
        if not isinstance(kind, str) or (registry.name, kind) in seen:
            continue
        seen.add((registry.name, kind))
        own = one.get('_scope_', scope)
        with registry.switch_scope_and_registry(own) as current:
            if current.get(kind) is not None:
                continue
            known = {*registry.module_dict, *current.module_dict}
        prefix, _, short = kind.rpartition('.')
        if prefix in registry.children:
            known = registry.children[prefix].module_dict
        hint = did_you_mean(short, known)
        text = f'{key}.type: no class is named {kind!r}'
        yield f'{text}; {hint}' if hint else text


def check_types(cfg: Config, *splits: str) -> None:
    """Check that the classes of a run's data and evaluators exist.

    A test does not need those of the training.

    Raises:
        ValueError: With the key of each that does not.
    """
    if lines := list(unknown_types(cfg, splits)):
        raise ValueError('\n'.join(lines))
