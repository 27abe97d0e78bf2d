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
        is_cut = error.pos >= len(error.doc.rstrip())
        what = f'is not JSON at line {error.lineno}, column {error.colno} '
        what += f'({error.msg})'
        if is_cut or 'Unterminated' in error.msg:
            what = 'is cut off'
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
    except ValueError as error:  # Python refuses to read it.
        raise ValueError(
            f'{path} has a number of thousands of digits: correct it'
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
    whole = 'with images, annotations and categories'
    if not isinstance(content, dict):
        text = f'{path} is a {type(content).__name__}'
        yield Finding(ERROR, kind, text, f'It must be a dict {whole}')
        return
    for section, keys in _NEEDED.items():
        if section == 'annotations' and section not in content:
            continue  # a set without truth
        entries = content.get(section)
        if not isinstance(entries, list):
            text = f'{path} has no list of {section}'
            yield Finding(ERROR, kind, text, f'Export it again, {whole}')
            continue
        if others := set(map(type, entries)) - {dict}:
            names = ', '.join(sorted(one.__name__ for one in others))
            text = f'{path} has {names} among its {section}'
            yield Finding(ERROR, kind, text, 'Each of them must be a dict')
            continue
        for key in keys:
            yield from _check_key(entries, section, key, path)


def _check_key(
    entries: list[dict], section: str, key: str, path: str
) -> Found:
    """Find entries of a section that lack a key, or have no use for it."""
    types = _TYPES.get(key)
    for number, entry in enumerate(entries):
        text = f'{path}: {entry.get("id", f"number {number}")}'
        if key not in entry:
            kind = f'{section} without {key!r}'
            yield Finding(ERROR, kind, text, 'Add it, or remove the entry')
        elif types and type(entry[key]) not in types:
            wanted = 'a text' if types == {str} else 'a number or a text'
            kind = f'{section} whose {key!r} is not {wanted}'
            text += f': {entry[key]!r}'
            yield Finding(ERROR, kind, text, 'Correct the file')


def _repeated(content: dict, path: str) -> Found:
    """Find ids of several entries, and names of several categories."""
    cure = 'Number them anew: each needs an id of its own'
    for section in _NEEDED:
        entries = content.get(section) or ()
        for number in _twice(entries, 'id'):
            text = f'{path}: {number}'
            if section == 'images':
                same = [e['file_name'] for e in entries if e['id'] == number]
                text += f' ({", ".join(same)})'
            yield Finding(ERROR, f'id of several {section}', text, cure)
    for name in _twice(content['categories'], 'name'):
        kind, cure = 'name of several categories', 'Give each its own name'
        yield Finding(ERROR, kind, f'{path}: {name}', cure)


def _twice(entries: list[dict], key: str) -> list:
    counts = Counter(entry[key] for entry in entries)
    return [value for value, count in counts.items() if count > 1]


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
        self.is_known = self.each(lambda a: a['category_id'] in known)
        # Width and height of the image of each object, (N, 2); zeros if they
        # are not known
        sizes = [(i.get('width'), i.get('height')) for i in self.images]
        sizes = [s if set(map(type, s)) <= _NUMBERS else (0, 0) for s in sizes]
        self.size = np.array([*sizes, (0, 0)], float)[self.image]
        self.is_sized = self.size.all(1)

    def each(self, test: Callable[[dict], bool]) -> np.ndarray:
        """Test each object, (N,)."""
        return np.array([test(one) for one in self.annotations], bool)

    def name(self, number: int) -> str:
        """Say where an object is."""
        one = self.annotations[number]
        place = self.image[number]
        image = f'image {one["image_id"]!r}'
        if place >= 0:
            image = self.images[place]['file_name']
        return f'{self.path}: annotation {one["id"]} ({image})'

    def found(
        self, mask: np.ndarray, severity: str, kind: str, cure: str, key: str
    ) -> Found:
        """Yield a finding for each object of a mask (N,), with a key of it."""
        for number in np.flatnonzero(mask).tolist():
            value = self.annotations[number].get(key)
            text = f'{self.name(number)}: {key} {value!r}'
            yield Finding(severity, kind, text, cure)


def _check_ids(objects: _Objects) -> Found:
    cure = 'Correct the ids, or remove the objects'
    for what, key, wrong in (
        ('image', 'image_id', objects.image < 0),
        ('category', 'category_id', ~objects.is_known),
    ):
        # A file of which nothing fits is of another kind, such as ids as text.
        severity = ERROR if wrong.all() else DROPPED
        kind = f'object of an unknown {what}'
        yield from objects.found(wrong, severity, kind, cure, key)


def _is_box(annotation: dict) -> bool:
    box = annotation['bbox']
    is_row = isinstance(box, list) and len(box) == 4
    return is_row and set(map(type, box)) <= _NUMBERS


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
    right = objects.each(_is_box)
    boxes = [one['bbox'] for one in objects.annotations]
    boxes = [box if ok else [0, 0, 1, 1] for box, ok in zip(boxes, right)]
    boxes = np.array(boxes, float).reshape(-1, 4)
    finite = np.isfinite(boxes).all(1)
    good = right & finite
    if good.all() and _are_corners(objects, boxes):
        text = f'{objects.path}: {boxes[0].tolist()}'
        cure = (
            'They look like [left, top, right, bottom], and COCO has [x, y, '
            'width, height]: subtract the corner'
        )
        yield Finding(ERROR, 'boxes as corners', text, cure)
        return
    if len(boxes) > 2 and good.all() and 0 < boxes.max() <= 1:
        text = f'{objects.path}: {boxes[0].tolist()}'
        cure = 'COCO has pixels: multiply by the width and height'
        yield Finding(ERROR, 'boxes as shares of the image', text, cure)
        return
    start, end = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    thin = good & (boxes[:, 2:] < 1).any(1)
    good &= ~thin & objects.is_sized
    outside = good & ((end <= 0) | (start >= objects.size)).any(1)
    beyond = ((start < -1) | (end > objects.size + 1)).any(1)
    four = 'Write [x, y, width, height] in pixels, without quotes'
    fix = 'Correct or remove these objects'
    small = f'{fix}: a box of less than a pixel is not trained on'
    cut = 'A training cuts it at the edge of the image'
    for mask, severity, kind, cure in (
        (~right, ERROR, 'box that is not four numbers', four),
        (~finite, ERROR, 'box with a coordinate that is not a number', fix),
        (thin, DROPPED, 'box without an area', small),
        (outside, DROPPED, 'box outside of its image', fix),
        (good & ~outside & beyond, NOTE, 'box that leaves its image', cut),
    ):
        yield from objects.found(mask, severity, kind, cure, 'bbox')


def _check_areas(objects: _Objects) -> Found:
    right = objects.each(lambda one: type(one.get('area', 1)) in _NUMBERS)
    yield from objects.found(
        *(~right, ERROR, 'area that is not a number'),
        *('Write a number without quotes, or leave the area out', 'area'),
    )
    yield from objects.found(
        objects.each(lambda one: one.get('iscrowd', 0) not in (0, 1)),
        *(ERROR, 'iscrowd that is not 0 or 1'),
        *('Write 1 for a crowd, which is not trained on, else 0', 'iscrowd'),
    )
    zero = [
        ok and not one.get('area', 1) > 0
        for one, ok in zip(objects.annotations, right)
    ]
    yield from objects.found(
        *(np.array(zero, bool), DROPPED, 'object whose area is 0'),
        *('Correct the area, or leave it out: it is computed then', 'area'),
    )


def _total(values: list) -> float:
    """Add numbers up; NaN if something else is among them."""
    try:
        return sum(values)
    except TypeError:
        return math.nan


def _fills(counts: list[int] | str, size: list[int]) -> bool:
    """Whether the counts of a run-length mask are those of its size."""
    if isinstance(counts, list):
        return _total(counts) == math.prod(size) and min(counts) >= 0
    from pycocotools import mask  # It comes with mmdet.

    try:
        mask.decode(dict(counts=counts, size=size))
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _extent(polygons: object) -> list[float]:
    """Return [left, top, right, bottom] of polygons; NaN if they are none."""
    try:
        x = [value for one in polygons for value in one[::2]]
        y = [value for one in polygons for value in one[1::2]]
        return [float(value) for value in (min(x), min(y), max(x), max(y))]
    except (IndexError, TypeError, ValueError):
        return [math.nan] * 4  # Another check names them.


def _check_extents(objects: _Objects) -> Found:
    """Tell if most boxes share less than a third with their polygons."""
    some = [
        number
        for number, one in enumerate(objects.annotations)
        if isinstance(one.get('segmentation'), list) and _is_box(one)
    ]
    if not some:
        return
    chosen = [objects.annotations[number] for number in some]
    polygons = np.array([_extent(one['segmentation']) for one in chosen])
    boxes = np.array([one['bbox'] for one in chosen], float)
    boxes[:, 2:] += boxes[:, :2]
    start = np.maximum(polygons[:, :2], boxes[:, :2])
    end = np.minimum(polygons[:, 2:], boxes[:, 2:])
    shared = (end - start).clip(0).prod(1)
    areas = [(one[:, 2:] - one[:, :2]).prod(1) for one in (polygons, boxes)]
    apart = shared < (areas[0] + areas[1] - shared) / 3
    if len(some) > 2 and apart.mean() > 0.5:
        mask = np.zeros(len(objects.annotations), bool)
        mask[some] = apart
        yield from objects.found(
            *(mask, NOTE, 'box that is not around its polygons'),
            'COCO has [x, y, width, height] from the left upper corner',
            'bbox',
        )


def _mask_problem(mask: object, size: list[float]) -> tuple | None:
    """Return severity, kind and cure of what is wrong with an object's mask.

    `size` is (W, H) of its image, or zeros.
    """
    if not mask or not isinstance(mask, (dict, list)):
        cure = (
            'Masks are asked for: add the segmentation, remove the object, '
            'or set with_mask=False and train boxes only'
        )
        return ERROR, 'object without a mask', cure
    if isinstance(mask, dict):
        if not isinstance(mask.get('counts'), (list, str)):
            return DROPPED, 'run-length mask without counts', 'Correct it'
        counts, own, wanted = mask['counts'], mask.get('size'), size[::-1]
        if not isinstance(own, list) or any(wanted) and own != wanted:
            cure = f"Its size {own} must be the image's [height, width]"
            return ERROR, 'run-length mask of another size', cure
        if not _fills(counts, own):
            kind = 'run-length mask whose counts are not its size'
            return ERROR, kind, 'Their sum must be height times width'
        return None
    if set(map(type, mask)) != {list}:
        cure = 'Write [[x1, y1, x2, y2, ...], ...]'
        return ERROR, 'segmentation that is no list of polygons', cure
    if not all(math.isfinite(_total(one)) for one in mask):
        return ERROR, 'polygon of something else than numbers', 'Correct it'
    good = [len(one) >= 6 and len(one) % 2 == 0 for one in mask]
    if not all(good):
        what = 'polygon' if any(good) else 'object of polygons'
        cure = 'A polygon needs three points, x and y of each'
        return DROPPED, f'{what} with fewer than three points', cure
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
    try:
        yield from _check_content(content, path, masks)
    except OverflowError:
        text = f'{path} has a number of hundreds of digits'
        yield Finding(ERROR, 'number that is too large', text, 'Correct it')


def _check_content(content: dict, path: str, masks: bool) -> Found:
    yield from _repeated(content, path)
    for name in _twice(content['images'], 'file_name'):
        kind = 'file that several images name'
        cure = 'Each of them has only a part of its objects: join them'
        yield Finding(NOTE, kind, f'{path}: {name}', cure)
    for image in content['images']:
        size = image.get('width'), image.get('height')
        if not (set(map(type, size)) <= _NUMBERS and min(size) > 0):
            yield Finding(
                *(ERROR, 'image whose width and height are not known'),
                f'{path}: image {image["id"]} ({image["file_name"]})',
                'Write them into the file as numbers; they are read from the '
                'image if it is there',
            )
    objects = _Objects(content, path)
    if objects.annotations:
        checks = [_check_ids, _check_boxes, _check_extents, _check_areas]
        checks += [_check_masks] * masks
        yield from chain.from_iterable(check(objects) for check in checks)
