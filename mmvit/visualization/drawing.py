"""Pictures: samples of any task, label maps, heat maps."""

import inspect
import math

import cv2
import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.registry import VISUALIZERS
from mmengine.structures import BaseDataElement
from mmengine.visualization import Visualizer

from mmvit.utils.paths import path_within

from .images import label_map
from .lettering import Lettering, letters_for, readable

_SIZE = 15  # pixels, height of the letters
_SMALL = 384  # pixels; on a smaller picture names and lines hide the objects


def save_picture(picture: np.ndarray, out_dir: str, name: str) -> str:
    """Write a picture into a folder and return the file's path.

    Args:
        picture: RGB, (H, W, 3), or one channel, (H, W).
        out_dir: The folder, made if it does not exist.
        name: The file's name; it may not lead out of the folder.
    """
    path = path_within(out_dir, name)
    if picture.ndim == 3:
        picture = mmcv.rgb2bgr(picture)
    mmcv.imwrite(picture, path)
    return path


def heat_map(values: np.ndarray) -> np.ndarray:
    """Draw values as colours, from dark blue (0) to yellow (1), in RGB."""
    grey = (255 * values.clip(0, 1)).round().astype(np.uint8)
    return mmcv.bgr2rgb(cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS))


def distinct_colours(number: int) -> np.ndarray:
    """Choose colours that can be told apart, RGB, (number, 3).

    Hues follow each other by the golden angle, so that those of neighbours
    are far from each other; lightness changes too. The first one is a calm
    blue, since the first class is often the background.
    """
    index = np.arange(number)
    hsv = np.stack(
        [
            ((0.58 + index * 0.618034) % 1) * 180,  # OpenCV's range
            np.array([110, 255, 255])[index % 3],
            np.array([200, 130, 255])[index % 3],
        ],
        axis=-1,
    )
    return cv2.cvtColor(hsv.astype(np.uint8)[None], cv2.COLOR_HSV2RGB)[0]


def build_visualizer(
    cfg: Config, classes: dict, name: str = 'mmvit.drawing'
) -> Visualizer:
    """Build a config's visualizer for the classes, without its storage.

    Args:
        cfg: The config.
        classes: The data set's `classes` and, optionally, `palette`.
        name: mmengine keeps one visualizer of each name.
    """
    visualizer = VISUALIZERS.build(
        dict(cfg.visualizer, vis_backends=None, name=name)
    )
    visualizer.dataset_meta = classes
    return visualizer


def with_palette(metainfo: dict) -> dict:
    """Give classes that have no palette colours that can be told apart.

    A palette of another length is that of other classes: one's own inherit
    COCO's in mmdet. That of mmseg's random generator is none, either.
    """
    shape = (len(metainfo['classes']), 3)
    palette = metainfo.get('palette')
    if (
        palette is None
        or isinstance(palette, str)
        or len(palette) != shape[0]
        or np.array_equal(
            palette, np.random.RandomState(42).randint(0, 255, shape)
        )
    ):
        drawn = distinct_colours(shape[0])
        return dict(metainfo, palette=[tuple(c) for c in drawn.tolist()])
    return metainfo


def _repeat(maps: np.ndarray, factor: int) -> np.ndarray:
    return maps.repeat(factor, -2).repeat(factor, -1)


def _enlarge(sample: BaseDataElement, factor: int) -> None:
    """Enlarge the boxes and masks of a sample, in place."""
    for name in ('gt_instances', 'pred_instances'):
        instances = sample.get(name, {})
        if 'bboxes' in instances:
            boxes = instances.bboxes
            instances.bboxes = getattr(boxes, 'tensor', boxes) * factor
        if 'masks' in instances:
            masks = instances.masks
            if hasattr(masks, 'to_ndarray'):
                masks = masks.to_ndarray()
            instances.masks = _repeat(np.asarray(masks, bool), factor)


def _legend(width: int, names: list[str], colours: np.ndarray) -> np.ndarray:
    """Draw colours with their names, in rows, RGB, (H, width, 3)."""
    letters = Lettering(names, _SIZE)
    places, left, top = [], 0, 0
    for name in names:
        length = 40 + letters.width(name)
        if left and left + length > width:
            left, top = 0, top + 24
        places.append((left, top))
        left += length
    legend = np.full((top + 24, width, 3), 255, np.uint8)
    for colour, (left, top) in zip(colours, places):
        legend[top + 5 : top + 19, left + 5 : left + 19] = colour
    texts = [(n, left + 25, top + 17) for n, (left, top) in zip(names, places)]
    return letters.draw(legend, texts)


def _heading(width: int, names: list[str]) -> np.ndarray:
    """Draw names above columns of the same width, RGB, (H, width, 3)."""
    column = width // len(names)
    longest = max(map(Lettering(names, _SIZE).width, names))
    # Larger on a large picture, but not wider than a column.
    scale = min(max(1.0, column / 640), (column - 8) / longest)
    letters = Lettering(names, _SIZE * scale)
    heading = np.full((round(30 * scale), width, 3), 255, np.uint8)
    texts = [
        (
            name,
            index * column + (column - letters.width(name)) // 2,
            round(21 * scale),
        )
        for index, name in enumerate(names)
    ]
    return letters.draw(heading, texts)


def _enlarged(image: np.ndarray) -> tuple[np.ndarray, int]:
    """Enlarge a small image; returns the whole number it is enlarged by."""
    factor = max(1, math.ceil(_SMALL / min(image.shape[:2])))
    if factor > 1:
        image = mmcv.imrescale(image, float(factor), interpolation='bicubic')
    return image, factor


def draw_label_maps(
    image: np.ndarray,
    maps: list[np.ndarray],
    metainfo: dict,
    names: list[str] | None = None,
) -> np.ndarray:
    """Draw label maps over an image, side by side, with a legend below.

    mmseg's own drawing takes seconds a picture: it searches pixel by pixel
    for a place for each class's name.

    Args:
        image: RGB, (H, W, 3); in the picture, it comes first. A small one is
            enlarged.
        maps: Class indices, (H, W) each; pixels of other values show the
            image.
        metainfo: The data set's `classes` and, optionally, `palette`.
        names: What the maps are; they stand above the columns.
    """
    image, factor = _enlarged(image)
    classes = metainfo['classes']
    palette = np.asarray(with_palette(metainfo)['palette'], np.uint8)
    panels, present = [image], set()
    for labels in maps:
        labels = _repeat(labels, factor)
        valid = labels < len(classes)
        panel = image.copy()
        colours = palette[labels[valid]]
        panel[valid] = (panel[valid] * 0.4 + colours * 0.6).astype(np.uint8)
        panels.append(panel)
        present |= set(np.unique(labels[valid]).tolist())
    picture = np.concatenate(panels, axis=1)
    shown = readable(tuple(classes))
    found = [shown[number] for number in sorted(present)]
    legend = _legend(picture.shape[1], found, palette[sorted(present)])
    parts = [picture, legend]
    if names:
        parts.insert(0, _heading(picture.shape[1], ['image', *names]))
    return np.concatenate(parts)


def picture_of_sample(
    visualizer: Visualizer,
    image: np.ndarray,
    sample: BaseDataElement,
    score_thr: float = 0.3,
    draw_pred: bool = True,
    draw_gt: bool = True,
) -> np.ndarray:
    """Draw a sample: the ground truth, if any, left of the prediction.

    For label maps the plain image comes first.

    Args:
        visualizer: The visualizer of the sample's task.
        image: RGB, (H, W, 3), in the frame of the sample's boxes and maps; a
            small one is enlarged first.
        sample: The data sample; it is not changed.
        score_thr: Boxes with a lower score are not drawn.
        draw_pred: Whether to draw the prediction.
        draw_gt: Whether to draw the ground truth.

    Returns:
        The picture, RGB, (H, W, 3).
    """
    if 'classes' in (visualizer.dataset_meta or {}):
        visualizer.dataset_meta = with_palette(visualizer.dataset_meta)
    sample = sample.clone().cpu()
    fields = ['gt_sem_seg'] * draw_gt + ['pred_sem_seg'] * draw_pred
    maps = [label_map(sample.get(name)) for name in fields if name in sample]
    if maps:
        return draw_label_maps(image, maps, visualizer.dataset_meta)
    image, factor = _enlarged(image)
    if factor > 1:
        _enlarge(sample, factor)
    return _draw_by_library(
        visualizer,
        name='picture',
        image=np.ascontiguousarray(image),
        data_sample=sample,
        pred_score_thr=score_thr,
        draw_pred=draw_pred,
        draw_gt=draw_gt,
    )


def _draw_by_library(visualizer: Visualizer, **options) -> np.ndarray:
    """Draw with those options that a library's visualizer has, RGB."""
    draw = getattr(visualizer, 'visualize_cls', visualizer.add_datasample)
    known = inspect.signature(draw).parameters
    options = {key: one for key, one in options.items() if key in known}
    meta, names = visualizer.dataset_meta, ()
    try:
        if meta and meta.get('classes'):
            names = tuple(meta['classes'])
            visualizer.dataset_meta = {**meta, 'classes': readable(names)}
        with letters_for(names):
            draw(**options)
    finally:
        visualizer.dataset_meta = meta
    return visualizer.get_image()


def draw_sample(
    visualizer: Visualizer,
    image: np.ndarray,
    sample: BaseDataElement,
    out_file: str,
    **options,
) -> None:
    """Write the picture of a sample to a file.

    Args:
        visualizer, image, sample, options: See `picture_of_sample`.
        out_file: The file.
    """
    picture = picture_of_sample(visualizer, image, sample, **options)
    mmcv.imwrite(mmcv.rgb2bgr(picture), out_file)


def draw_side_by_side(
    visualizers: list[Visualizer],
    image: np.ndarray,
    samples: list[BaseDataElement],
    names: list[str],
    score_thr: float = 0.3,
) -> np.ndarray:
    """Draw the predictions of several models on an image, RGB, (H, W, 3).

    For label maps the plain image comes first.

    Args:
        visualizers: The visualizer of each model.
        image: RGB, (H, W, 3); a small one is enlarged first.
        samples: The predictions of each model.
        names: The models' names.
        score_thr: Boxes with a lower score are not drawn.
    """
    if 'pred_sem_seg' in samples[0]:
        maps = [label_map(sample.pred_sem_seg) for sample in samples]
        return draw_label_maps(image, maps, visualizers[0].dataset_meta, names)
    panels = [
        picture_of_sample(*pair, score_thr, draw_gt=False)
        for pair in zip(visualizers, [image] * len(samples), samples)
    ]
    picture = np.concatenate(panels, axis=1)
    return np.concatenate([_heading(picture.shape[1], names), picture])
