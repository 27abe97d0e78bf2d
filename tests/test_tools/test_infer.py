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


def test_the_others_are_done_after_a_broken_file(
    trained, own_scenes, tmp_path, capsys
):
    config, checkpoint = trained('seg')
    folder = own_scenes / 'img_dir/val'
    (folder / 'val_1.jpg').write_bytes(b'not an image')
    args = [config, checkpoint, str(folder), '--device', 'cpu']
    # What it writes below its input is not read the second time.
    args += ['--out-dir', str(folder / 'out')]
    for _ in range(2):
        assert load_tool('infer').main(args) == 1
        text = capsys.readouterr().out
        assert '1 of 4 files failed' in text
        assert f'{folder}/val_1.jpg: ' in text
        predictions = json.loads((folder / 'out/predictions.json').read_text())
        names = sorted(path.rpartition('/')[2] for path in predictions)
        assert names == ['val_0.jpg', 'val_2.jpg', 'val_3.jpg']


def test_linked_folders_are_followed_once(tmp_path):
    (tmp_path / 'in/sub').mkdir(parents=True)
    (tmp_path / 'there').mkdir()
    (tmp_path / 'there/a.jpg').touch()
    (tmp_path / 'in/linked').symlink_to(tmp_path / 'there')
    (tmp_path / 'in/sub/circle').symlink_to(tmp_path / 'in')
    found = load_tool('infer').find_images([str(tmp_path / 'in')], 'out')
    assert found == [str(tmp_path / 'in/linked/a.jpg')]


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
