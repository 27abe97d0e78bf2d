"""COCO's annotation files: read, completed and checked before mmdet does.

mmdet leaves out, merges or fails at what it cannot use, without a name.
"""

import contextlib
import gc
import json
import math
import os.path as osp
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import chain
from unittest import mock

import numpy as np
from PIL import Image, ImageOps

from .findings import DROPPED, ERROR, NOTE, Finding

Found = Iterator[Finding]
_NEEDED = dict(
    images=('id', 'file_name'),
    categories=('id', 'name'),
    annotations=('id', 'image_id', 'category_id', 'bbox'),
)
_NUMBERS = {int, float}
_IDS = {int, float, str}
_TYPES = dict(file_name={str}, name={str}) | dict.fromkeys(
    ('id', 'image_id', 'category_id'), _IDS
)


def read_json(path: str) -> object:
    """Read a JSON file in UTF-8 (with or without a BOM) or UTF-16.

    Raises:
        ValueError: If it is empty, cut off or not JSON, or in another
            encoding.
    """
    with open(path, 'rb') as file:
        content = file.read()
    if not content.strip():
        raise ValueError(f'{path} is empty: export or download it again')
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(error.doc.rstrip())
        what = (
            'is cut off'
            if cut or 'Unterminated' in error.msg
            else (
                f'is not JSON at line {error.lineno}, column {error.colno} '
                f'({error.msg})'
            )
        )
        raise ValueError(
            f'{path} {what}: export or download it again'
        ) from error
    except RecursionError as error:
        raise ValueError(
            f'{path} is nested too deeply: export or download it again'
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{path} is not in UTF-8 (byte {error.start}): save it as UTF-8'
        ) from error


def _polygon_area(polygon: list[float]) -> float:
    x, y = polygon[::2], polygon[1::2]
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def _area(annotation: dict) -> float:
    polygons = annotation.get('segmentation')
    if isinstance(polygons, list) and all(len(p) % 2 == 0 for p in polygons):
        area = float(sum(map(_polygon_area, polygons)))
        if area > 0:
            return area
    _, _, width, height = annotation['bbox']
    return width * height


def complete(content: dict, image_folder: str = '') -> None:
    """Add what libraries need and what follows from the rest, in place.

    The area of an object is that of its polygons or its box. The size of an
    image is read from its file. What cannot be found stays absent.
    """
    for annotation in content.get('annotations') or ():
        with contextlib.suppress(Exception):
            annotation.setdefault('iscrowd', 0)
            if 'area' not in annotation:
                annotation['area'] = _area(annotation)
    for image in content.get('images') or ():
        with contextlib.suppress(Exception):
            if 'width' not in image or 'height' not in image:
                path = osp.join(image_folder, image['file_name'])
                with Image.open(path) as file:
                    image['width'], image['height'] = ImageOps.exif_transpose(
                        file
                    ).size


_cache: dict[str, object] = {}
_depth = 0


def load_coco(path: str, image_folder: str = '') -> object:
    """Read and complete a file; within `coco_files` once only."""
    key = osp.realpath(path)
    if key in _cache:
        return _cache[key]
    content = read_json(path)
    if isinstance(content, dict):
        complete(content, image_folder)
    if _depth:
        _cache[key] = content
    return content


def _read_into(self: object, annotation_file: str | None = None) -> None:
    """Be the constructor of pycocotools' COCO."""
    self.dataset, self.anns, self.cats, self.imgs = {}, {}, {}, {}
    self.imgToAnns, self.catToImgs = defaultdict(list), defaultdict(list)
    if annotation_file is not None:
        self.dataset = load_coco(annotation_file)
        with contextlib.redirect_stdout(None):
            self.createIndex()


@contextlib.contextmanager
def coco_files() -> Iterator[None]:
    """Let data sets and metrics get their files from `load_coco`.

    Each file is read once while the context is entered. It may be entered
    again inside. Python's garbage collection, which takes longer than the
    reading of a large file, waits.
    """
    global _depth
    with contextlib.ExitStack() as stack:
        if gc.isenabled():
            gc.disable()
            stack.callback(gc.enable)
        with contextlib.suppress(ImportError):
            # It comes with mmdet, and only mmdet needs it.
            from pycocotools.coco import COCO

            if not _depth:
                patch = mock.patch.object(COCO, '__init__', _read_into)
                stack.enter_context(patch)
        _depth += 1
        try:
            yield
        finally:
            _depth -= 1
            if not _depth:
                _cache.clear()


def check_structure(content: object, path: str) -> Found:
    """Find what keeps a file from being read as COCO's."""
    kind = 'not an annotation file of COCO'
    if not isinstance(content, dict):
        yield Finding(
            ERROR, kind, f'{path} is a {type(content).__name__}',
            'It must be a dict with images, annotations and categories',
        )  # fmt: skip
        return
    for section, keys in _NEEDED.items():
        entries = content.get(section)
        if entries is None and section == 'annotations':
            continue  # a set without truth
        if not isinstance(entries, list):
            yield Finding(
                ERROR, kind, f'{path} has no list of {section}',
                'Export it again, with images, annotations and categories',
            )  # fmt: skip
            continue
        if others := set(map(type, entries)) - {dict}:
            names = ', '.join(sorted(one.__name__ for one in others))
            yield Finding(
                ERROR, kind, f'{path} has {names} among its {section}',
                'Each of them must be a dict',
            )  # fmt: skip
            continue
        for key in keys:
            yield from _check_key(entries, section, key, path)


def _check_key(
    entries: list[dict], section: str, key: str, path: str
) -> Found:
    """Find entries of a section that lack a key, or have no use for it."""
    types = _TYPES.get(key)
    wrong = [
        number
        for number, entry in enumerate(entries)
        if key not in entry or (types and type(entry[key]) not in types)
    ]
    for number in wrong:
        entry = entries[number]
        name = entry.get('id', f'number {number}')
        if key not in entry:
            yield Finding(
                ERROR, f'{section} without {key!r}', f'{path}: {name}',
                'Add it, or remove them from the file',
            )  # fmt: skip
        else:
            kind = 'a text' if types == {str} else 'a number or a text'
            yield Finding(
                ERROR, f'{section} whose {key!r} is not {kind}',
                f'{path}: {name}: {entry[key]!r}', 'Correct the file',
            )  # fmt: skip


def _repeated(content: dict, path: str, names: dict) -> Found:
    for section in _NEEDED:
        ids = Counter(entry['id'] for entry in content.get(section) or ())
        for number, count in ids.items():
            if count > 1:
                text = f'{path}: {number}'
                if section == 'images':
                    same = [
                        image['file_name']
                        for image in content['images']
                        if image['id'] == number
                    ]
                    text += f' ({", ".join(same)})'
                yield Finding(
                    ERROR, f'id of several {section}', text,
                    'Number them anew: each needs an id of its own',
                )  # fmt: skip
    for name, count in names.items():
        if count > 1:
            yield Finding(
                ERROR, 'name of several categories', f'{path}: {name}',
                'Give each category a name of its own',
            )  # fmt: skip


class _Objects:
    """The objects of a file, as arrays."""

    def __init__(self, content: dict, path: str) -> None:
        self.path = path
        self.images = content['images']
        self.annotations = content.get('annotations') or []
        place = {image['id']: n for n, image in enumerate(self.images)}
        self.image = np.array(
            [place.get(a['image_id'], -1) for a in self.annotations], int
        )
        known = {category['id'] for category in content['categories']}
        self.is_known = np.array(
            [a['category_id'] in known for a in self.annotations], bool
        )
        # Width and height of each image, (N, 2)
        sizes = [(i.get('width'), i.get('height')) for i in self.images]
        sizes = np.array(
            [s if set(map(type, s)) <= _NUMBERS else (0, 0) for s in sizes],
            float,
        ).reshape(-1, 2)
        self.is_sized = np.append(sizes, [[0, 0]], axis=0)[self.image].all(1)
        self.size = np.append(sizes, [[0, 0]], axis=0)[self.image]

    def name(self, number: int) -> str:
        """Say where an object is."""
        one = self.annotations[number]
        place = self.image[number]
        image = (
            self.images[place]['file_name']
            if place >= 0
            else f'image {one["image_id"]!r}'
        )
        return f'{self.path}: annotation {one["id"]} ({image})'

    def found(
        self,
        mask: np.ndarray,
        severity: str,
        kind: str,
        cure: str,
        show: Callable[[dict], object] | None = None,
    ) -> Found:
        """Yield a finding for each object of a mask (N,)."""
        for number in np.flatnonzero(mask).tolist():
            text = self.name(number)
            if show:
                text += f': {show(self.annotations[number])}'
            yield Finding(severity, kind, text, cure)


def _check_ids(objects: _Objects) -> Found:
    lost = objects.image < 0
    cure = 'Correct the ids, or remove the objects'
    # A file of which nothing fits is of another kind, such as ids as text.
    all_lost = ERROR if lost.all() else DROPPED
    yield from objects.found(
        lost, all_lost, 'object of an unknown image', cure,
        lambda one: f'image_id {one["image_id"]!r}',
    )  # fmt: skip
    none_known = DROPPED if objects.is_known.any() else ERROR
    yield from objects.found(
        ~objects.is_known, none_known, 'object of an unknown category', cure,
        lambda one: f'category_id {one["category_id"]!r}',
    )  # fmt: skip


def _are_boxes(boxes: list) -> bool:
    """Whether all are right, found faster than one by one."""
    return (
        set(map(type, boxes)) <= {list}
        and set(map(len, boxes)) <= {4}
        and set(map(type, chain.from_iterable(boxes))) <= _NUMBERS
    )


def _is_box(box: object) -> bool:
    return isinstance(box, list) and len(box) == 4 and set(
        map(type, box)
    ) <= _NUMBERS  # fmt: skip


def _are_corners(objects: _Objects, boxes: np.ndarray) -> bool:
    """Whether boxes [x, y, width, height] are [left, top, right, bottom].

    Read as corners all are inside of their images; read as a size, a fifth or
    more are not.
    """
    here = objects.is_sized
    if here.sum() < 3:
        return False
    start, end, size = boxes[here, :2], boxes[here, 2:], objects.size[here]
    inside = ((end > start) & (end <= size + 1)).all()
    leaves = ((start + end) > size + 1).any(1)
    return bool(inside and leaves.mean() >= 0.2)


def _check_boxes(objects: _Objects) -> Found:
    boxes = [one['bbox'] for one in objects.annotations]
    if _are_boxes(boxes):
        right = np.ones(len(boxes), bool)
    else:
        right = np.array([_is_box(box) for box in boxes], bool)

    def show(one: dict) -> object:
        return one['bbox']

    yield from objects.found(
        ~right, ERROR, 'box that is not four numbers',
        'Write [x, y, width, height] in pixels, without quotes', show,
    )  # fmt: skip
    if not right.all():
        boxes = [box if ok else [0, 0, 1, 1] for box, ok in zip(boxes, right)]
    boxes = np.array(boxes, float).reshape(-1, 4)
    finite = np.isfinite(boxes).all(1)
    yield from objects.found(
        ~finite, ERROR, 'box with a coordinate that is not a number',
        'Correct or remove these objects', show,
    )  # fmt: skip
    good = right & finite
    if good.all() and _are_corners(objects, boxes):
        yield Finding(
            ERROR, 'boxes as corners', f'{objects.path}: {boxes[0].tolist()}',
            'They look like [left, top, right, bottom], and COCO has [x, y, '
            'width, height]: subtract the corner',
        )  # fmt: skip
        return
    cure = 'Correct or remove these objects'
    thin = good & (boxes[:, 2:] < 1).any(1)
    yield from objects.found(
        thin, DROPPED, 'box without an area', cure + ': a box of less than a '
        'pixel is not trained on', show,
    )  # fmt: skip
    start, end = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    good &= ~thin & objects.is_sized
    outside = good & ((end <= 0) | (start >= objects.size)).any(1)
    yield from objects.found(
        outside, DROPPED, 'box outside of its image', cure, show
    )
    beyond = (start < -1) | (end > objects.size + 1)
    yield from objects.found(
        good & ~outside & beyond.any(1), NOTE, 'box that leaves its image',
        'A training cuts it at the edge of the image', show,
    )  # fmt: skip


def _check_areas(objects: _Objects) -> Found:
    areas = [one.get('area', 1) for one in objects.annotations]
    right = [type(area) in _NUMBERS for area in areas]

    def show(one: dict) -> str:
        return f'area {one["area"]!r}'

    yield from objects.found(
        ~np.array(right, bool), ERROR, 'area that is not a number',
        'Write a number without quotes, or leave the area out', show,
    )  # fmt: skip
    zero = [ok and not area > 0 for area, ok in zip(areas, right)]
    yield from objects.found(
        np.array(zero, bool), DROPPED, 'object whose area is 0',
        'Correct the area, or leave it out: it is computed then', show,
    )  # fmt: skip


def _total(values: list) -> float:
    """Add numbers up; NaN if something else is among them."""
    try:
        return sum(values)
    except TypeError:
        return math.nan


def _mask_problem(mask: object, size: list[float]) -> tuple | None:
    """Return severity, kind and cure of what is wrong with an object's mask.

    `size` is (W, H) of its image, or zeros.
    """
    if not mask:
        return ERROR, 'object without a mask', (
            'Masks are asked for: add the segmentation, remove the object, '
            'or set with_mask=False and train boxes only'
        )  # fmt: skip
    if isinstance(mask, dict):
        if not isinstance(mask.get('counts'), (list, str)):
            return DROPPED, 'run-length mask without counts', 'Correct it'
        counts, own, wanted = mask['counts'], mask.get('size'), size[::-1]
        if not isinstance(own, list) or any(wanted) and own != wanted:
            return ERROR, 'run-length mask of another size', (
                f'Its size {own} must be the image\'s [height, width]'
            )  # fmt: skip
        if isinstance(counts, list) and _total(counts) != np.prod(own):
            return ERROR, 'run-length mask whose counts are not its size', (
                'Their sum must be height times width'
            )  # fmt: skip
        return None
    if set(map(type, mask)) != {list}:
        return ERROR, 'segmentation that is no list of polygons', (
            'Write [[x1, y1, x2, y2, ...], ...]'
        )  # fmt: skip
    if not all(math.isfinite(_total(one)) for one in mask):
        return ERROR, 'polygon of something else than numbers', 'Correct it'
    good = [len(one) >= 6 and len(one) % 2 == 0 for one in mask]
    if not all(good):
        what = 'polygon' if any(good) else 'object of polygons'
        return DROPPED, f'{what} with fewer than three points', (
            'A polygon needs three points, x and y of each'
        )  # fmt: skip
    return None


def _check_masks(objects: _Objects) -> Found:
    sizes = objects.size.tolist()
    for number, one in enumerate(objects.annotations):
        problem = _mask_problem(one.get('segmentation'), sizes[number])
        if problem:
            severity, kind, cure = problem
            yield Finding(severity, kind, objects.name(number), cure)


def check_coco(content: object, path: str, masks: bool = False) -> Found:
    """Find what is wrong in the content of an annotation file.

    Args:
        content: What `load_coco` returns.
        path: The file.
        masks: Whether masks are asked for.
    """
    structure = list(check_structure(content, path))
    yield from structure
    if structure:
        return
    names = Counter(category['name'] for category in content['categories'])
    yield from _repeated(content, path, names)
    for image in content['images']:
        size = image.get('width'), image.get('height')
        if not (set(map(type, size)) <= _NUMBERS and min(size) > 0):
            yield Finding(
                ERROR, 'image whose width and height are not known',
                f'{path}: image {image["id"]} ({image["file_name"]})',
                'Write them into the file as numbers; they are read from the '
                'image if it is there',
            )  # fmt: skip
    objects = _Objects(content, path)
    if objects.annotations:
        checks = [_check_ids, _check_boxes, _check_areas]
        checks += [_check_masks] * masks
        yield from chain.from_iterable(check(objects) for check in checks)
