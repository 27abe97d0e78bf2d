"""Draw the quickstart's data set: handwritten digits on photographs.

The digits are scikit-learn's scans of real handwriting, the backgrounds are
crops of the photographs that scikit-learn and scikit-image bundle, so nothing
is downloaded. A data set that is there with the same settings is kept. One set
serves every task:

    classification/{train,val}/<class>/*.jpg      ImageNet's folders
    images/{training,validation}/*.jpg            scenes
    annotations/instances_{train,val}.json        COCO, boxes and masks
    annotations/{training,validation}/*.png       ADE20K-style label maps

In a label map 0 is unlabelled (the blurred outline of a digit), 1 background
and 2 to 11 the digits 0 to 9: read it with ``reduce_zero_label=True``.
Validation scenes hold other people's digits and other parts of the
photographs than training scenes do.
"""

import argparse
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmvit.apis.command_line import CommandLine, at_least

EXAMPLES = """
  python tools/dataset_converters/digit_scenes.py
  python tools/dataset_converters/digit_scenes.py \\
      --out-dir data/digit_scenes --num-train 500 --num-val 50
"""
CLASSES = tuple('0123456789')
SPLITS = ('train', 'val')
SCENE_FOLDERS = dict(train='training', val='validation')
SETTINGS_FILE = 'digit_scenes.json'
# Stored with the settings. Increase it when the same settings draw other
# pictures, so that an older data set is not taken for a new one.
VERSION = 1
UNLABELLED, BACKGROUND, FIRST_DIGIT = 0, 1, 2
JPEG_QUALITY = 92
# The scans are ordered by writer, so that the last ones are by other people.
TRAINING_DIGITS = 0.8
TRAINING_WIDTH = 0.7
MIN_VISIBLE = 0.85
PHOTOGRAPHS = ('astronaut', 'cat', 'coffee', 'rocket', 'grass', 'gravel')
LIMITS = dict(seed=0, num_train=1, num_val=1, size=64)  # smallest values


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared(
        '--out-dir',
        type=Path,
        required=False,
        default=Path('data/digit_scenes'),
    )
    parser.add_shared('--seed', type=at_least(0))
    parser.add_number('--num-train', 2000, 'number of training scenes')
    parser.add_number('--num-val', 200, 'number of validation scenes')
    text = 'side of a scene in pixels, at least 64'
    parser.add_number('--size', 128, text, low=LIMITS['size'])
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import cv2
import numpy as np
from mmengine.utils import ProgressBar
from pycocotools import mask as coco_mask
from skimage import data as skimage_data
from sklearn.datasets import load_digits, load_sample_image


@dataclass
class Digits:
    """Scans of one split: images (n, 8, 8) in 0..1, labels and indices (n)."""

    images: np.ndarray
    labels: np.ndarray
    indices: np.ndarray


@dataclass
class Instance:
    """One digit of a scene: its visible mask (H, W), label and scan."""

    mask: np.ndarray
    label: int
    digit_index: int
    full_area: int


@dataclass
class Scene:
    """A picture (H, W, 3; BGR), its label map (H, W) and its digits."""

    image: np.ndarray
    label_map: np.ndarray
    instances: list[Instance]


def load_digit_split(split: str) -> Digits:
    """Return the scans that scenes of ``split`` may use."""
    digits = load_digits()
    indices = np.arange(len(digits.target))
    cut = int(len(indices) * TRAINING_DIGITS)
    chosen = indices[:cut] if split == 'train' else indices[cut:]
    images = (digits.images[chosen] / 16).astype(np.float32)
    return Digits(images, digits.target[chosen], chosen)


def load_backgrounds(split: str) -> list[np.ndarray]:
    """Return the part of each photograph (BGR) that ``split`` may use.

    Training uses the left part of each, validation the rest.
    """
    photos = [load_sample_image(name) for name in ('china.jpg', 'flower.jpg')]
    photos += [getattr(skimage_data, name)() for name in PHOTOGRAPHS]
    parts = []
    for photo in photos:
        if photo.ndim == 2:
            photo = np.repeat(photo[..., None], 3, axis=2)
        cut = int(photo.shape[1] * TRAINING_WIDTH)
        part = photo[:, :cut] if split == 'train' else photo[:, cut:]
        parts.append(np.ascontiguousarray(part[..., ::-1]))
    return parts


def draw_background(
    rng: np.random.Generator, backgrounds: Sequence[np.ndarray], size: int
) -> np.ndarray:
    """Return a random square crop (size, size, 3), darkened as at dusk."""
    photo = backgrounds[rng.integers(len(backgrounds))]
    longest = min(photo.shape[:2])
    side = int(rng.integers(min(64, longest), longest + 1))
    top = rng.integers(photo.shape[0] - side + 1)
    left = rng.integers(photo.shape[1] - side + 1)
    crop = photo[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    crop = cv2.resize(crop, (size, size), interpolation=method)
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    return crop * np.float32(rng.uniform(0.35, 0.65))


def draw_alpha(
    rng: np.random.Generator, digit: np.ndarray, height: float
) -> np.ndarray:
    """Return the opacity of a slightly rotated digit on a square patch.

    `digit` is a scan (8, 8) in 0..1, which becomes `height` pixels high
    before it is turned.
    """
    scale_y = height / 8
    scale_x = scale_y * rng.uniform(0.9, 1.15)
    angle = np.deg2rad(rng.uniform(-10, 10))
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.diag([scale_x, scale_y])
    side = int(np.ceil(height * 1.25))
    # The scan gets an empty frame of two cells, so it is centred on 5.5.
    shift = (side - 1) / 2 - matrix @ np.array([5.5, 5.5])
    ink = cv2.warpAffine(
        np.pad(digit, 2),
        np.column_stack([matrix, shift]),
        (side, side),
        flags=cv2.INTER_CUBIC,
    )
    # About one and a half pixels from paper to ink, whatever the height.
    return np.clip(0.5 + (ink - 0.5) * np.float32(scale_y / 1.5), 0, 1)


def choose_colour(
    rng: np.random.Generator, image: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """Return a bright colour that differs from the image under a mask."""
    hues = rng.uniform(0, 179, size=4)
    saturations = rng.uniform(40, 255, size=4)
    values = rng.uniform(200, 255, size=4)
    hsv = np.stack([hues, saturations, values], axis=-1).astype(np.uint8)
    colours = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2BGR)[0].astype(np.float32)
    below = image[mask].mean(axis=0)
    return colours[np.linalg.norm(colours - below, axis=1).argmax()]


def find_place(
    rng: np.random.Generator,
    digits: Digits,
    size: int,
    heights: tuple[float, float],
    instances: list[Instance],
) -> tuple[int, np.ndarray, tuple[slice, slice]] | None:
    """Choose a digit and a place that leaves the others mostly visible.

    The arguments are those of `draw_scene`, and the digits that are there.

    Returns:
        Index of the scan, opacity of the patch, place of the patch; None if
        ten tries failed.
    """
    for _ in range(10):
        index = rng.integers(len(digits.labels))
        height = size * rng.uniform(*heights)
        alpha = draw_alpha(rng, digits.images[index], height)
        top, left = rng.integers(size - len(alpha) + 1, size=2)
        place = np.s_[top : top + len(alpha), left : left + len(alpha)]
        if all(
            np.count_nonzero(other.mask)
            - np.count_nonzero(other.mask[place] & (alpha > 0.1))
            >= MIN_VISIBLE * other.full_area
            for other in instances
        ):
            return index, alpha, place
    return None


def draw_scene(
    rng: np.random.Generator,
    digits: Digits,
    backgrounds: Sequence[np.ndarray],
    size: int,
    num_digits: tuple[int, int] = (5, 9),
    heights: tuple[float, float] = (0.22, 0.34),
) -> Scene:
    """Draw digits that may overlap, each mostly visible.

    Args:
        rng: Source of everything that is random.
        digits: Scans to draw from.
        backgrounds: Photographs to crop.
        size: Side of the square scene in pixels.
        num_digits: Smallest and largest number of digits. A digit that finds
            no place is left out; the first one always finds a place.
        heights: Smallest and largest height of a digit, as a share of
            ``size``; at most 0.8.
    """
    image = draw_background(rng, backgrounds, size)
    label_map = np.full((size, size), BACKGROUND, np.uint8)
    instances: list[Instance] = []
    shade = np.linspace(-0.15, 0.15, size, dtype=np.float32)[:, None, None]
    for _ in range(rng.integers(num_digits[0], num_digits[1] + 1)):
        found = find_place(rng, digits, size, heights, instances)
        if found is None:
            continue
        index, alpha, place = found
        inside, hidden = alpha >= 0.5, alpha > 0.1
        colour = choose_colour(rng, image[place], inside)
        light = 1 + shade[: len(alpha)] * np.float32(rng.choice([-1, 1]))
        ink = np.clip(colour * light, 0, 255)
        image[place] += alpha[..., None] * (ink - image[place])
        label = int(digits.labels[index])
        label_map[place][hidden] = UNLABELLED
        label_map[place][inside] = FIRST_DIGIT + label
        for other in instances:
            other.mask[place] &= ~hidden
        mask = np.zeros((size, size), bool)
        mask[place] = inside
        scan, area = int(digits.indices[index]), np.count_nonzero(mask)
        instances.append(Instance(mask, label, scan, area))
    return Scene(image.round().astype(np.uint8), label_map, instances)


def draw_single(
    rng: np.random.Generator,
    digits: Digits,
    backgrounds: Sequence[np.ndarray],
    size: int,
    label: int,
) -> np.ndarray:
    """Draw a picture (size, size, 3) of one digit of class ``label``."""
    chosen = digits.labels == label
    of_class = Digits(*(part[chosen] for part in vars(digits).values()))
    return draw_scene(
        rng, of_class, backgrounds, size, num_digits=(1, 1), heights=(0.5, 0.8)
    ).image


def to_coco(
    instance: Instance, annotation_id: int, image_id: int
) -> dict[str, object]:
    """Return the COCO annotation of a digit; category ids start at 1."""
    mask = np.asfortranarray(instance.mask.astype(np.uint8))
    rle = coco_mask.encode(mask)
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return dict(
        id=annotation_id,
        image_id=image_id,
        category_id=instance.label + 1,
        bbox=[left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
        area=int(mask.sum()),
        segmentation=dict(size=rle['size'], counts=rle['counts'].decode()),
        iscrowd=0,
        digit_index=instance.digit_index,
    )


def write_image(path: Path, image: np.ndarray) -> None:
    """Write a JPEG or PNG file; raise OSError with its path on failure."""
    options = []
    if path.suffix == '.jpg':
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    if not cv2.imwrite(str(path), image, options):
        raise OSError(f'cannot write {path}: is the disk full?')


def write_split(
    root: Path,
    split: str,
    seed: int,
    number: int,
    size: int,
    on_progress: Callable[[], object] = lambda: None,
) -> None:
    """Write `number` scenes and single digits of a split below ``root``.

    Picture i depends on the seed, the split and i alone. A single digit has
    half of the size of a scene. `on_progress` is called after each scene.
    """
    digits, backgrounds = load_digit_split(split), load_backgrounds(split)
    folder = SCENE_FOLDERS[split]
    images, labels = root / 'images' / folder, root / 'annotations' / folder
    singles = root / 'classification' / split
    for path in (images, labels, *(singles / name for name in CLASSES)):
        path.mkdir(parents=True)
    # mmdet's error analysis needs the supercategory.
    categories = [
        dict(id=i + 1, name=name, supercategory='digit')
        for i, name in enumerate(CLASSES)
    ]
    coco = dict(
        info=dict(description='handwritten digits on photographs'),
        images=[],
        annotations=[],
        categories=categories,
    )
    for i in range(number):
        rng = np.random.default_rng([seed, SPLITS.index(split), i])
        scene = draw_scene(rng, digits, backgrounds, size)
        name = f'{split}_{i:05d}'
        write_image(images / f'{name}.jpg', scene.image)
        write_image(labels / f'{name}.png', scene.label_map)
        file_name = f'{folder}/{name}.jpg'
        coco['images'].append(
            dict(id=i + 1, file_name=file_name, width=size, height=size)
        )
        for instance in scene.instances:
            annotation_id = len(coco['annotations']) + 1
            coco['annotations'].append(to_coco(instance, annotation_id, i + 1))
        label = i % len(CLASSES)
        single = draw_single(rng, digits, backgrounds, size // 2, label)
        write_image(singles / CLASSES[label] / f'{name}.jpg', single)
        on_progress()
    path = root / 'annotations' / f'instances_{split}.json'
    path.write_text(json.dumps(coco), encoding='utf-8')


def read_settings(root: Path) -> dict[str, object] | None:
    """Return the settings of the data set at ``root``, None without one.

    Raises:
        FileExistsError: If ``root`` was not written by this tool.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    try:
        text = (root / SETTINGS_FILE).read_text(encoding='utf-8')
        return dict(json.loads(text))
    except (OSError, ValueError) as error:
        raise FileExistsError(
            f'{root} exists and holds no {SETTINGS_FILE}, so it was not made '
            'by this tool and is not replaced. Choose another --out-dir, or '
            'remove it yourself.'
        ) from error


def write_dataset(
    root: Path,
    seed: int = 0,
    num_train: int = 2000,
    num_val: int = 200,
    size: int = 128,
    show_progress: bool = False,
) -> bool:
    """Write the data set, unless it is there with the same settings.

    It is moved to ``root`` when it is complete, and replaces a data set of
    this tool with other settings. Equal settings give equal bytes. Scenes are
    squares of `size` pixels, at least 64.

    Returns:
        Whether anything was written.

    Raises:
        FileExistsError: If ``root`` was not written by this tool.
        ValueError: If a number is too small.
    """
    given = dict(seed=seed, num_train=num_train, num_val=num_val, size=size)
    for name, limit in LIMITS.items():
        if given[name] < limit:
            raise ValueError(
                f'{name} must be at least {limit}, got {given[name]}'
            )
    settings = dict(generator='digit_scenes', version=VERSION, **given)
    if read_settings(root) == settings:
        return False
    partial = root.with_name(f'.{root.name}.partial')
    shutil.rmtree(partial, ignore_errors=True)
    bar = ProgressBar(num_train + num_val) if show_progress else None
    update = bar.update if bar else lambda: None
    try:
        for split, number in zip(SPLITS, (num_train, num_val)):
            write_split(partial, split, seed, number, size, update)
        (partial / SETTINGS_FILE).write_text(
            json.dumps(settings, indent=2) + '\n', encoding='utf-8'
        )
        if root.exists():
            shutil.rmtree(root)
        partial.rename(root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True


def main(argv: list[str] | None = None) -> None:
    """Write the data set; see --help."""
    args = parse_args(argv)
    try:
        written = write_dataset(
            *(args.out_dir, args.seed, args.num_train, args.num_val),
            size=args.size,
            show_progress=True,
        )
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    if written:
        print(f'\nWrote {args.num_train} + {args.num_val} to {args.out_dir}')
    else:
        print(f'{args.out_dir} is there already with these settings')


if __name__ == '__main__':
    main()
