"""tools/dev/guard_cost.py on a tiny model."""

import json
from pathlib import Path

import pytest

from tests.support.helpers import load_tool
from tests.support.tiny import tiny_config, write_config


def test_guard_cost_compares(config, scenes, capsys, fresh_runs) -> None:
    tool = load_tool('dev/guard_cost')
    name = write_config(
        tiny_config('cls', scenes), Path(config('cls')).with_name('data.py')
    )
    args = ['--block', '2', '--rounds', '2', '--json']
    assert tool.main([name, *args]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    ratio = found['guarded'] / found['plain']
    assert found['percent'] == pytest.approx(100 * (ratio - 1))
    low, high = found['quartiles']
    assert low <= found['median'] <= high
