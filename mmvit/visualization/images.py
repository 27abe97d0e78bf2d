"""Images and label maps of all kinds, in a form that can be drawn."""

from collections.abc import Callable

import numpy as np
from mmcv.transforms import Compose, LoadImageFromFile
from mmengine.structures import PixelData


def visible(image: np.ndarray) -> np.ndarray:
    """Convert an image with any number of channels to RGB of 8 bits.

    One or two channels give a grey image. Of more than three, the first three
    are shown. Values outside of 0 to 255, or in 0 to 1, are stretched.

    Shape: image (H, W) or (H, W, C), BGR if C is 3 or more -> (H, W, 3).
    """
    image = np.atleast_3d(image)
    if image.shape[-1] < 3:
        image = image[..., :1].repeat(3, axis=-1)
    else:
        image = image[..., 2::-1]
    if image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        if low < 0 or not 1 < high <= 255:
            image = (image - low) * (255 / max(high - low, 1e-12))
        image = image.round().astype(np.uint8)
    return np.ascontiguousarray(image)


def loading_step(pipeline: Compose | None) -> Callable[[dict], dict]:
    """Return the step of a pipeline that reads the image's file.

    A picture drawn from another reading may have other channels or another
    orientation than what the model gets.
    """
    for step in getattr(pipeline, 'transforms', ()):
        name = type(step).__name__
        if name.startswith('Load') and 'Image' in name:
            return step
    return LoadImageFromFile()


def load_image(step: Callable[[dict], dict], path: str) -> np.ndarray:
    """Read an image with a pipeline's step, as RGB (H, W, 3) of 8 bits."""
    return visible(step(dict(img_path=path, img_id=0))['img'])


def label_map(pixels: PixelData) -> np.ndarray:
    """Return a label map (H, W) in whole numbers of 8 bits, or 16 if needed.

    Heads with one logit predict 0 and 1 as floating-point numbers.
    """
    labels = pixels.data[0].cpu().numpy()
    return labels.astype(np.uint8 if labels.max() < 256 else np.uint16)
