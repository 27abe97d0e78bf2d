"""Safe loading for all libraries, for as long as it is asked for."""

import contextlib
from collections.abc import Iterator

from mmengine.model.weight_init import PretrainedInit, update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import nn

from .matching import MIN_MATCHED, load_pretrained
from .reading import MapLocation, safe_schemes


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


@contextlib.contextmanager
def guard_loading() -> Iterator[None]:
    """Make loading of all OpenMMLab libraries safe and checked, for a time.

    Inside the context, local files and URLs are loaded without executing
    anything that they hold, and `Pretrained` is `CheckedPretrainedInit`.
    Contexts may be nested; each restores what was there before it. It also
    serves as a decorator: `@guard_loading()`.
    """
    initializers = WEIGHT_INITIALIZERS.module_dict
    before = initializers['Pretrained']
    initializers['Pretrained'] = CheckedPretrainedInit
    try:
        with safe_schemes():
            yield
    finally:
        initializers['Pretrained'] = before
