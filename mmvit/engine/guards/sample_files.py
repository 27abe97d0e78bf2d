"""Sizes and orientations of images and masks, read from their headers."""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from .findings import ERROR, NOTE, Finding

_ORIENTATION = 0x0112  # the tag of EXIF
_SWAPPED = (5, 6, 7, 8)  # orientations that swap height and width


class Header(NamedTuple):
    """The size (H, W) of a picture as it is stored, and how it is turned."""

    size: tuple[int, int]
    orientation: int

    def seen(self, turns: bool) -> tuple[int, int]:
        """Return the size (H, W) after loading, which may turn the picture."""
        swaps = turns and self.orientation in _SWAPPED
        return self.size[::-1] if swaps else self.size


def read_header(source: str | BytesIO) -> Header | None:
    """Read the header of a picture; None if it cannot be read as one."""
    try:
        with Image.open(source) as picture:
            turned = picture.getexif().get(_ORIENTATION, 1)
            return Header((picture.height, picture.width), turned)
    except Exception:
        return None  # Another guard names files that cannot be read.


def turns_images(step: Callable[[dict], dict]) -> bool:
    """Whether a pipeline's loading step turns images as EXIF says."""
    return getattr(step, 'color_type', 'color') in ('color', 'grayscale') and (
        getattr(step, 'imdecode_backend', 'cv2') in ('cv2', 'pillow', None)
    )


def _text(size: tuple[int, int]) -> str:
    return f'{size[0]} x {size[1]}'


def geometry_findings(
    info: dict, turns: bool, image: Header | None, mask: Header | None
) -> Iterator[Finding]:
    """Compare an image with its annotation and its mask.

    Args:
        info: What the data set knows of the sample.
        turns: Whether loading turns images as EXIF says. Masks are never
            turned.
        image: The image's header.
        mask: The mask's header, if the sample has one.
    """
    if image is None:
        return
    seen, path = image.seen(turns), info['img_path']
    exif = (
        f' (EXIF orientation {image.orientation} turns the image)'
        if turns and image.orientation != 1
        else ''
    )
    cure = (
        'Write images without the EXIF orientation (such as with '
        'PIL.ImageOps.exif_transpose), or load them with '
        "color_type='color_ignore_orientation'"
        if exif
        else 'Correct the file that is wrong'
    )
    said = info.get('height'), info.get('width')
    if None not in said and said != seen:
        text = f'{path}: {_text(seen)}{exif}, not {_text(said)}'
        yield Finding(
            ERROR, 'size is not the one of the annotations', text, cure
        )
    if mask and mask.size != seen:
        text = (
            f'{path}: {_text(seen)}{exif}, '
            f'{info["seg_map_path"]}: {_text(mask.size)}'
        )
        yield Finding(ERROR, 'mask of another size than its image', text, cure)
    elif exif and (seen == image.size) and (mask or 'instances' in info):
        # The sizes do not tell in which frame the annotation was made.
        yield Finding(
            NOTE,
            'image that EXIF turns, beside an annotation that is not turned',
            f'{path}{exif}',
            'If the annotation was made on the image as it is stored, '
            f'{cure[0].lower()}{cure[1:]}',
        )
