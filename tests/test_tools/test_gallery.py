"""tools/dev/gallery.py: the pictures of the documentation."""

import cv2
import pytest

from tests.support.helpers import load_tool
from tests.support.tiny import TASKS

tool = load_tool('dev/gallery')
NAMES = dict(
    det='detection',
    ins='instances',
    seg='segmentation',
    cls='classification',
)


@pytest.mark.parametrize('task', TASKS)
def test_pictures_of_a_task(task, trained, scenes, tmp_path):
    name, out = NAMES[task], tmp_path / 'images'
    out.mkdir()
    for other in {*tool.ROW} - {name}:
        cv2.imwrite(str(out / f'{other}.jpg'), cv2.UMat(384, 384, 16).get())
    images = [str(scenes / f'img_dir/val/val_{n}.jpg') for n in (0, 1)]
    tool.main([name, *trained(task), *images, '--out-dir', str(out)])
    sizes = {
        path.stem: cv2.imread(str(path)).shape[:2] for path in out.iterdir()
    }
    assert sizes['tasks'] == (384 + 8, 3 * (384 + 8))
    assert sizes[name] == (384, 384)
    height, width = sizes[f'gallery-{name}']
    if task == 'cls':
        assert width == 750  # five columns, one row
    else:
        legend = 24 if task == 'seg' else 0
        assert (height, width) == (2 * (384 + legend + 8), 2 * 384 + 8)
