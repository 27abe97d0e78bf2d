"""Sizes and orientations of images and masks."""

import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from mmvit.engine.guards.sample_files import (
    geometry_findings,
    read_header,
    turns_images,
)


def picture(path, size, orientation=None):
    """Write a picture of a size (W, H) and return its header."""
    image, exif = Image.new('RGB', size), Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    image.save(path, exif=exif)
    return read_header(str(path))


def kinds(info, turns, image, mask=None):
    info = dict(info, img_path='a.jpg', seg_map_path='a.png')
    return [
        (one.severity, one.text)
        for one in geometry_findings(info, turns, image, mask)
    ]


@pytest.mark.parametrize(
    ('turns', 'seen'), [(True, (40, 30)), (False, (30, 40))]
)
def test_headers(tmp_path, turns, seen):
    header = picture(tmp_path / 'a.jpg', (40, 30), 6)
    assert header == ((30, 40), 6)
    assert header.seen(turns) == seen
    assert picture(tmp_path / 'b.jpg', (40, 30)).seen(turns) == (30, 40)
    (tmp_path / 'c.jpg').write_bytes(b'')
    assert read_header(str(tmp_path / 'c.jpg')) is None


@pytest.mark.parametrize(
    ('options', 'turns'),
    [
        (dict(), True),
        (dict(color_type='grayscale'), True),
        (dict(color_type='unchanged'), False),
        (dict(color_type='color_ignore_orientation'), False),
        (dict(imdecode_backend='tifffile'), False),
    ],
)
def test_what_turns_images(options, turns):
    assert turns_images(LoadImageFromFile(**options)) is turns


def test_sizes_of_annotations(tmp_path):
    plain = picture(tmp_path / 'a.jpg', (40, 30))
    assert not kinds(dict(height=30, width=40), True, plain)
    ((severity, text),) = kinds(dict(height=40, width=30), True, plain)
    assert severity == 'error' and text == 'a.jpg: 30 x 40, not 40 x 30'
    turned = picture(tmp_path / 'b.jpg', (40, 30), 6)
    # The annotation was made on the turned image, or on the stored one.
    boxes = dict(instances=[])
    assert not kinds(dict(boxes, height=40, width=30), True, turned)
    ((severity, text),) = kinds(dict(height=30, width=40), True, turned)
    assert severity == 'error' and 'EXIF orientation 6' in text
    assert not kinds(dict(height=30, width=40), False, turned)


def test_masks(tmp_path):
    plain = picture(tmp_path / 'a.jpg', (40, 30))
    mask = picture(tmp_path / 'a.png', (40, 30))
    turned = picture(tmp_path / 'b.jpg', (40, 30), 8)
    assert not kinds({}, True, plain, mask)
    large = picture(tmp_path / 'large.png', (80, 60))
    ((severity, text),) = kinds({}, True, plain, large)
    assert severity == 'error' and text == 'a.jpg: 30 x 40, a.png: 60 x 80'
    ((severity, text),) = kinds({}, True, turned, mask)
    assert severity == 'error' and 'EXIF' in text
    assert not kinds({}, False, turned, mask)


@pytest.mark.parametrize(
    ('size', 'orientation'), [((30, 30), 6), ((40, 30), 3)]
)
def test_turned_images_whose_size_does_not_tell(tmp_path, size, orientation):
    turned = picture(tmp_path / 'a.jpg', size, orientation)
    mask = picture(tmp_path / 'a.png', size)
    for found in (
        kinds({}, True, turned, mask),
        kinds(dict(instances=[]), True, turned),
    ):
        ((severity, text),) = found
        assert severity == 'note' and 'EXIF' in text
    # A classifier does not mind.
    assert not kinds({}, True, turned)
