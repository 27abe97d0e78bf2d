"""Images without an object: losses are finite, every weight learns."""

import multiprocessing

import pytest

from tests.support import empty_truth
from tests.support.empty_truth import (
    batch,
    run_rank,
    shipped_detectors,
    small,
    step,
)

DETECTORS = shipped_detectors()


def test_detectors_are_found():
    assert any('RetinaNet' in name for name in DETECTORS)
    assert any('MaskRCNN' in name for name in DETECTORS)


@pytest.mark.parametrize('name', DETECTORS)
def test_all_empty(name):
    model = small(DETECTORS[name])
    assert not step(model, batch(2, 0))
    assert not step(model, batch(2, 2))


@pytest.mark.slow
def test_two_processes(tmp_path):
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([empty_truth.__name__])
    args = str(tmp_path / 'store'), list(DETECTORS.values())
    processes = [
        context.Process(target=run_rank, args=(rank, *args)) for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
        process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
