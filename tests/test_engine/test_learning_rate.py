"""The learning rate that belongs to a batch."""

import pytest

from tests.support.helpers import read_log
from tests.support.tiny import tiny_config


@pytest.mark.parametrize('accumulated', [1, 2])
def test_learning_rate_counts_accumulation(scenes, command, accumulated):
    cfg = tiny_config('cls', scenes, auto_scale_lr=dict(base_batch_size=16))
    cfg.optim_wrapper.accumulative_counts = accumulated
    work_dir = command('train', cfg, '--auto-scale-lr')
    assert read_log(work_dir)[-2]['lr'] == pytest.approx(
        1e-3 * 4 * accumulated / 16
    )
    (log,) = work_dir.glob('*/*.log')
    total = 4 * accumulated
    assert (
        f'1 processes x 4 images x {accumulated} accumulated = {total} images'
        in log.read_text()
    )
