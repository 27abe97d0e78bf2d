"""tools/infer.py: each task, and its errors."""

import json

import cv2
import pytest

from tests.support.helpers import load_tool
from tests.support.scenes import CLASSES, SPLITS
from tests.support.tiny import TASKS


@pytest.mark.parametrize('task', TASKS)
def test_predictions_of_a_folder(task, trained, scenes, tmp_path):
    config, checkpoint = trained(task)
    out = tmp_path / 'out'
    load_tool('infer').main(
        [
            config,
            checkpoint,
            str(scenes / 'img_dir' / 'val'),
            '--out-dir',
            str(out),
            '--device',
            'cpu',
            '--score-thr',
            '0',
        ]
    )
    predictions = json.loads((out / 'predictions.json').read_text())
    assert len(predictions) == SPLITS['val']
    pictures = sorted(out.glob('*_val_?.png'))
    assert len(pictures) == SPLITS['val']
    assert min(cv2.imread(str(pictures[0])).shape[:2]) >= 384
    for prediction in predictions.values():
        if task == 'seg':
            labels = cv2.imread(str(out / prediction['labels']), -1)
            assert labels.shape == (64, 64) and labels.max() < 3
        elif task == 'cls':
            assert prediction['name'] in CLASSES
            assert 0.5 <= prediction['score'] <= 1
        else:
            for box in prediction['boxes']:
                assert box['name'] in CLASSES
                assert len(box['box_xyxy']) == 4


def test_inference_errors(trained, scenes, tmp_path, capsys):
    config, checkpoint = trained('cls')
    main = load_tool('infer').main
    tail = ['--out-dir', str(tmp_path / 'out')]
    (tmp_path / 'empty').mkdir()
    for name, message in (
        ('absent', 'no file or folder absent'),
        (str(tmp_path / 'empty'), 'no image in'),
    ):
        with pytest.raises(SystemExit):
            main([config, checkpoint, name, *tail])
        assert message in capsys.readouterr().err
    other, _ = trained('seg')
    image = str(scenes / 'img_dir' / 'val' / 'val_0.jpg')
    with pytest.raises(ValueError, match='another architecture'):
        main([other, checkpoint, image, *tail])
    assert not (tmp_path / 'out').exists()
