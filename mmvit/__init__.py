"""MMViT: vision-transformer backbones for dense prediction."""

from .stack import check_stack

# Before anything of ours is imported: on a wrong stack the imports below
# would fail later and with a message that names no cure.
check_stack()

from . import registry  # noqa: E402
from .version import __version__  # noqa: E402

__all__ = ['__version__', 'registry']
