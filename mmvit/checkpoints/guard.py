"""Safe loading for all libraries, for as long as it is asked for."""

import contextlib
import inspect
from collections.abc import Iterator
from itertools import chain
from typing import IO

import yaml
from mmengine.fileio.handlers import (
    PickleHandler,
    YamlHandler,
    file_handlers,
)
from mmengine.model.weight_init import PretrainedInit, update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import nn

from .matching import MIN_MATCHED, load_pretrained
from .reading import MapLocation, is_trusted, safe_schemes

# A plain value of so many parts keeps mmengine busy for less than a minute.
_MAX_REPEATED = 100_000
# Python reads as many digits of a text; YAML's 1:59:59 has no such limit.
_MAX_DIGITS = 4300
_NUMBERS = (':int', ':float')


class CheckedPretrainedInit(PretrainedInit):
    """mmengine's `Pretrained`, which stops if too little fits.

    Weights of another shape, such as a head of other classes, stay as they
    were drawn. The arguments are those of `load_pretrained`.
    """

    def __init__(
        self,
        checkpoint: str,
        prefix: str | None = None,
        map_location: MapLocation = 'cpu',
        min_matched: float = MIN_MATCHED,
    ) -> None:
        super().__init__(checkpoint, prefix, map_location)
        self.min_matched = min_matched

    def __call__(self, module: nn.Module) -> None:
        """Load into a module."""
        args = (self.checkpoint, self.prefix, self.min_matched)
        load_pretrained(module, *args, allow_shapes=True)
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())


def _file_that_is_read() -> object:
    """Find the file that mmengine.load reads, which it tells no handler."""
    return inspect.currentframe().f_back.f_back.f_locals.get('file')


class UntrustedPickleHandler(PickleHandler):
    """mmengine's reader of pickles, which reads none that is not trusted.

    A pickle executes whatever it wants to. Pickles are written as before.
    """

    def load_from_fileobj(self, file: IO, **kwargs) -> object:
        """Refuse the file, or load it.

        Raises:
            ValueError: If the file is not trusted.
        """
        path = _file_that_is_read()
        if not (isinstance(path, str) and is_trusted(path)):
            raise ValueError(
                f'{path} is a pickle, which can execute code while it is '
                'read: write it as JSON, or, if you trust it, name it with '
                '--trust-checkpoint FILE (mmvit.checkpoints.trust_checkpoint)'
            )
        return super().load_from_fileobj(file, **kwargs)


def _check_cost(root: yaml.Node | None) -> None:
    """Refuse aliases that grow with each level, and endless numbers.

    Raises:
        yaml.YAMLError: If there are any.
    """
    waiting, seen, repeated = [root] if root else [], set(), 0
    while waiting:
        node = waiting.pop()
        repeated += node in seen
        seen.add(node)
        if repeated > _MAX_REPEATED:
            raise yaml.YAMLError(
                f'its aliases (*name) repeat more than {_MAX_REPEATED:,} '
                'values: write the values out, or use fewer aliases'
            )
        if isinstance(node, yaml.MappingNode):
            waiting += chain.from_iterable(node.value)
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif len(node.value) > _MAX_DIGITS and node.tag.endswith(_NUMBERS):
            raise yaml.YAMLError(
                f'a number of {len(node.value):,} characters: put a text '
                'into quotes'
            )


class _YamlLoader(getattr(yaml, 'CSafeLoader', yaml.SafeLoader)):
    """Reads plain data, and the tuples that mmengine writes.

    In C, where that is built: a config's bases in a library are found through
    long files.
    """

    def get_single_node(self) -> yaml.Node | None:
        """Parse the file, and refuse values that would take for ever."""
        node = super().get_single_node()
        _check_cost(node)
        return node


_YamlLoader.add_constructor(
    'tag:yaml.org,2002:python/tuple',
    lambda loader, node: tuple(loader.construct_sequence(node, deep=True)),
)


class SafeYamlHandler(YamlHandler):
    """mmengine's reader of YAML, which makes no objects that a tag names."""

    def load_from_fileobj(self, file: IO, **kwargs) -> object:
        """Read plain data.

        Raises:
            yaml.YAMLError: If it cannot be read; the message names the file.
        """
        try:
            return super().load_from_fileobj(
                file, **{**kwargs, 'Loader': _YamlLoader}
            )
        except yaml.YAMLError as error:
            text = f'{_file_that_is_read()} cannot be read: {error}'
            raise yaml.YAMLError(text) from error


_HANDLERS = dict.fromkeys(('pkl', 'pickle'), UntrustedPickleHandler())
_HANDLERS |= dict.fromkeys(('yml', 'yaml'), SafeYamlHandler())


@contextlib.contextmanager
def safe_files() -> Iterator[None]:
    """Let mmengine read YAML and pickles safely for a time.

    It reads configs, annotation files (`ann_file`) and weights of classes
    (`class_weight`) by the same function.
    """
    before = {ending: file_handlers[ending] for ending in _HANDLERS}
    file_handlers.update(_HANDLERS)
    try:
        yield
    finally:
        file_handlers.update(before)


@contextlib.contextmanager
def guard_loading() -> Iterator[None]:
    """Make loading of all OpenMMLab libraries safe and checked, for a time.

    Inside the context, weights of local files and URLs are loaded without
    executing anything that they hold, `Pretrained` is
    `CheckedPretrainedInit`, and mmengine reads no pickles; see `safe_files`.
    Contexts may be nested; each restores what was there before it. It also
    serves as a decorator: `@guard_loading()`.
    """
    initializers = WEIGHT_INITIALIZERS.module_dict
    before = initializers['Pretrained']
    initializers['Pretrained'] = CheckedPretrainedInit
    try:
        with safe_schemes(), safe_files():
            yield
    finally:
        initializers['Pretrained'] = before
