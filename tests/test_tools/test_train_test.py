import pytest
from tests.helpers import *


@pytest.mark.parametrize('task', TASKS)
def test_x(task, scenes, command):
    import time

    t = time.time()
    cfg = tiny_config(task, scenes)
    print('cfg', time.time() - t)
    w = command('train', cfg)
    print('train', time.time() - t)
    print(losses(w), [l for l in read_log(w) if 'loss' not in l])
    command('test', cfg, w / LAST[task], '--show-dir', w / 'pics')
    print('test', time.time() - t)
    print(sorted(os.listdir(w)))
