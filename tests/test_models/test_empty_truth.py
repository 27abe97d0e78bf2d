"""Images without an object: losses are finite, every weight learns."""

import pytest

from tests.support.empty_truth import (
    batch,
    run_rank,
    shipped_detectors,
    small,
    step,
)
from tests.support.processes import end, start

DETECTORS = shipped_detectors()


def test_detectors_are_found():
    assert {'retinanet', 'mask-rcnn', 'atss', 'detr'} <= set(DETECTORS)


@pytest.mark.parametrize('name', DETECTORS)
def test_all_empty(name):
    model = small(DETECTORS[name])
    assert not step(model, batch(2, 0))
    assert not step(model, batch(2, 2))


@pytest.mark.slow
def test_two_processes(tmp_path):
    args = str(tmp_path / 'store'), list(DETECTORS.values())
    logs = [tmp_path / f'{rank}.txt' for rank in (0, 1)]
    processes = [
        start(run_rank, rank, *args, log=log) for rank, log in enumerate(logs)
    ]
    codes = end(processes)
    assert codes == [0, 0], '\n'.join(log.read_text() for log in logs)
