"""COCO's annotation files: what is wrong in them is named with its id."""

import copy
import json

import pytest
from mmdet.datasets.api_wrappers import COCO
from PIL import Image

from mmvit.engine.guards import coco_files
from mmvit.engine.guards.coco_files import (
    check_coco,
    complete,
    load_coco,
    read_json,
)
from mmvit.engine.guards.findings import DROPPED, ERROR, NOTE

SQUARE = [[4, 4, 12, 4, 12, 12, 4, 12]]
GOOD = dict(
    images=[
        dict(id=n, file_name=f'{n}.jpg', width=40, height=30) for n in (1, 2)
    ],
    categories=[dict(id=7, name='thing'), dict(id=8, name='other')],
    annotations=[
        dict(
            id=n,
            image_id=n // 10,
            category_id=7,
            bbox=[4, 4, 8, 8],
            area=64,
            iscrowd=0,
            segmentation=SQUARE,
        )
        for n in (10, 11, 20)
    ],
)


def found(change, masks=True):
    content = copy.deepcopy(GOOD)
    change(content)
    return list(check_coco(content, 'a.json', masks))


def test_nothing_wrong():
    assert found(lambda content: None) == []
    assert found(lambda content: content.pop('annotations')) == []


def objects(**changes):
    """Change the object 11, and see it named."""

    def change(content):
        content['annotations'][1].update(changes)

    return change


NAN, INF = float('nan'), float('inf')
OBJECTS = [
    (dict(bbox=[4, 4, 0, 8]), DROPPED, 'box without an area'),
    (dict(bbox=[4, 4, -5, 8]), DROPPED, 'box without an area'),
    (dict(bbox=[50, 4, 8, 8]), DROPPED, 'box outside of its image'),
    (dict(bbox=[-9, 4, 8, 8]), DROPPED, 'box outside of its image'),
    (dict(bbox=[36, 4, 8, 8]), NOTE, 'box that leaves its image'),
    (dict(bbox=[4, NAN, 8, 8]), ERROR, 'box with a coordinate'),
    (dict(bbox=[4, 4, INF, 8]), ERROR, 'box with a coordinate'),
    (dict(bbox=['4', 4, 8, 8]), ERROR, 'box that is not four numbers'),
    (dict(bbox=[4, 4, 8]), ERROR, 'box that is not four numbers'),
    (dict(bbox=None), ERROR, 'box that is not four numbers'),
    (dict(area=0), DROPPED, 'object whose area is 0'),
    (dict(area='64'), ERROR, 'area that is not a number'),
    (dict(image_id=3), DROPPED, 'object of an unknown image'),
    (dict(image_id='1'), DROPPED, 'object of an unknown image'),
    (dict(category_id=9), DROPPED, 'object of an unknown category'),
    (dict(segmentation=[]), ERROR, 'object without a mask'),
    (dict(segmentation=None), ERROR, 'object without a mask'),
    (dict(segmentation=[[4, 4, 8, 8]]), DROPPED, 'object of polygons'),
    (dict(segmentation=[*SQUARE, [1, 1]]), DROPPED, 'polygon with fewer'),
    (dict(segmentation=[[1] * 7]), DROPPED, 'object of polygons'),
    (dict(segmentation=[4, 4, 8, 4, 8, 8]), ERROR, 'no list of polygons'),
    (dict(segmentation=[['4'] * 6]), ERROR, 'something else than numbers'),
    (
        dict(segmentation=[[4, 4, 8, NAN, 8, 8]]),
        ERROR,
        'something else than numbers',
    ),
    (
        dict(segmentation=[[4, 4, 8, 4, 8, '8']]),
        ERROR,
        'something else than numbers',
    ),
    (
        dict(segmentation=dict(size=[40, 30], counts=[1200])),
        ERROR,
        'run-length mask of another size',
    ),
    (
        dict(segmentation=dict(size=1200, counts=[1200])),
        ERROR,
        'run-length mask of another size',
    ),
    (
        dict(segmentation=dict(size=[30, 40], counts=[1201])),
        ERROR,
        'counts are not its size',
    ),
    (dict(segmentation=dict(size=[30, 40])), DROPPED, 'without counts'),
    (
        dict(segmentation=dict(size=[30, 40], counts=[-1, 1201])),
        ERROR,
        'counts are not its size',
    ),
    (
        dict(segmentation=dict(size=[30, 40], counts='abc')),
        ERROR,
        'counts are not its size',
    ),
    (dict(segmentation=5), ERROR, 'object without a mask'),
    (dict(iscrowd='0'), ERROR, 'iscrowd that is not 0 or 1'),
    (dict(iscrowd=None), ERROR, 'iscrowd that is not 0 or 1'),
]


@pytest.mark.parametrize(('change', 'severity', 'kind'), OBJECTS)
def test_objects(change, severity, kind):
    (finding,) = found(objects(**change))
    assert finding.severity == severity and kind in finding.kind
    assert 'a.json: annotation 11 (' in finding.text
    assert finding.cure


def test_masks_only_where_they_are_asked_for():
    assert not found(objects(segmentation=[]), masks=False)
    good = dict(size=[30, 40], counts=[1200])
    assert not found(objects(segmentation=good))


@pytest.mark.parametrize(
    'changes',
    [
        dict(bbox=[10**400, 4, 8, 8]),
        dict(segmentation=[[4, 4, 8, 4, 8, 10**400]]),
    ],
)
def test_numbers_that_are_too_large(changes):
    *_, finding = found(objects(**changes))
    assert finding.severity == ERROR and 'too large' in finding.kind


def test_boxes_of_other_conventions():
    def each(box):
        def change(content):
            for one in content['annotations']:
                one['bbox'] = box

        return {one.kind for one in found(change)}

    centres, shares = [12, 12, 8, 8], [0.1, 0.1, 0.2, 0.3]
    assert each(centres) == {'box that is not around its polygons'}
    assert 'boxes as shares of the image' in each(shares)


def test_a_file_of_two_images():
    (finding,) = found(
        lambda content: content['images'][1].update(file_name='1.jpg')
    )
    assert finding.severity == NOTE and finding.text == 'a.json: 1.jpg'


def test_annotations_that_are_no_list():
    (finding,) = found(lambda content: content.update(annotations=None))
    assert 'no list of annotations' in finding.text


def test_a_number_that_python_does_not_read(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('[' + '1' * 5000 + ']')
    with pytest.raises(ValueError, match='a.json has a number of thousands'):
        read_json(str(path))


def test_ids_of_another_type_fit_nothing():
    def change(content):
        for one in content['annotations']:
            one['image_id'] = str(one['image_id'])

    findings = found(change)
    assert {one.severity for one in findings} == {ERROR}
    assert "image_id '1'" in findings[0].text


def test_two_images_of_one_id():
    (finding,) = found(lambda content: content['images'][1].update(id=1))[:1]
    assert finding.severity == ERROR
    assert finding.text == 'a.json: 1 (1.jpg, 2.jpg)'


@pytest.mark.parametrize('section', ['annotations', 'categories'])
def test_other_ids_are_unique_too(section):
    def change(content):
        content[section][1]['id'] = content[section][0]['id']

    kinds = [one.kind for one in found(change)]
    assert f'id of several {section}' in kinds


def test_two_categories_of_one_name():
    findings = found(
        lambda content: content['categories'][1].update(name='thing')
    )
    assert [one.text for one in findings] == ['a.json: thing']


@pytest.mark.parametrize(
    ('section', 'key'),
    [
        *(('annotations', key) for key in ('id', 'image_id', 'bbox')),
        ('annotations', 'category_id'),
        *(('images', key) for key in ('id', 'file_name', 'width')),
        *(('categories', key) for key in ('id', 'name')),
    ],
)
def test_absent_keys_are_named(section, key):
    (finding,) = found(lambda content: content[section][0].pop(key))
    assert finding.severity == ERROR
    assert key in finding.kind and 'a.json: ' in finding.text


@pytest.mark.parametrize(
    ('section', 'key', 'value'),
    [
        ('images', 'id', [1]),
        ('images', 'file_name', None),
        ('categories', 'name', 5),
        ('annotations', 'category_id', [7]),
        ('annotations', 'image_id', None),
    ],
)
def test_values_of_another_type_are_named(section, key, value):
    (finding,) = found(
        lambda content: content[section][0].update({key: value})
    )
    assert finding.severity == ERROR
    assert key in finding.kind and repr(value) in finding.text


@pytest.mark.parametrize(
    'content',
    [
        [],
        dict(GOOD, images=['1.jpg', '2.jpg']),
        dict(GOOD, annotations=[None]),
        dict(images=[]),
        dict(images={}, categories=[], annotations=[]),
        dict(GOOD, annotations={}),
    ],
)
def test_other_files_are_no_annotations(content):
    kinds = {one.kind for one in check_coco(content, 'a.json')}
    assert kinds == {'not an annotation file of COCO'}


def test_boxes_as_corners():
    def change(content):
        corners = [25, 15, 35, 25], [4, 4, 12, 12], [30, 3, 40, 9]
        for one, box in zip(content['annotations'], corners):
            one['bbox'] = list(box)

    finding, *_ = found(change)
    assert (finding.severity, finding.kind) == (ERROR, 'boxes as corners')

    def beyond(content):
        change(content)
        # No corner: its right side would be left of its left side.
        content['annotations'][1]['bbox'] = [20, 4, 12, 12]

    kinds = {one.kind for one in found(beyond)}
    polygons = 'box that is not around its polygons'
    assert kinds == {'box that leaves its image', polygons}


def test_absent_fields_are_completed(tmp_path):
    Image.new('RGB', (40, 30)).save(tmp_path / '1.jpg')
    content = copy.deepcopy(GOOD)
    for one in content['annotations']:
        del one['area'], one['iscrowd']
    content['annotations'][1]['segmentation'] = [[0, 0, 4, 0, 0, 4]]
    del content['annotations'][2]['segmentation']
    for image in content['images']:
        del image['width'], image['height']
    complete(content, str(tmp_path))
    assert [one['area'] for one in content['annotations']] == [64, 8, 64]
    assert [one['iscrowd'] for one in content['annotations']] == [0] * 3
    assert content['images'][0]['width'] == 40
    (finding,) = check_coco(content, 'a.json')
    assert 'image 2 (2.jpg)' in finding.text


def test_encodings(tmp_path):
    path = tmp_path / 'a.json'
    content = dict(name='Schlüssel')
    text = json.dumps(content, ensure_ascii=False)
    for encoding in ('utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le'):
        path.write_text(text, encoding=encoding)
        assert read_json(str(path)) == content
    path.write_text(text, encoding='latin-1')
    with pytest.raises(ValueError, match='a.json is not in UTF-8'):
        read_json(str(path))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'is empty'),
        (' \n', 'is empty'),
        ('{"images": [{"id": 1}, ', 'is cut off'),
        ('{"images": [{"file_name": "00', 'is cut off'),
        ('[' * 100_000, 'is nested too deeply'),
        ('{"images": [1,, 2]}', 'is not JSON at line 1, column 15'),
    ],
)
def test_broken_files(tmp_path, text, message):
    path = tmp_path / 'a.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=f'a.json {message}'):
        read_json(str(path))


def test_libraries_read_the_completed_file_once(tmp_path, monkeypatch):
    path = tmp_path / 'a.json'
    content = copy.deepcopy(GOOD)
    del content['annotations'][0]['area']
    path.write_text(json.dumps(content), encoding='utf-16')
    reads = []

    def counted(name):
        reads.append(name)
        return read_json(name)

    monkeypatch.setattr(coco_files, 'read_json', counted)
    constructor = COCO.__mro__[1].__init__
    with coco_files.coco_files(), coco_files.coco_files():
        load_coco(str(path))
        api = COCO(str(path))
        assert api.anns[10]['area'] == 64
    assert len(reads) == 1
    assert COCO.__mro__[1].__init__ is constructor
    load_coco(str(path))
    assert len(reads) == 2, 'nothing is kept'
