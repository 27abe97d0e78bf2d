"""The commands of the documentation's pages, and a shell that runs them."""

import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .helpers import ROOT, clean_environment, load_tool

DOCS = ROOT / 'docs/en'
PAGES = sorted(
    path for path in DOCS.rglob('*.md') if '_build' not in path.parts
)


def blocks(page: Path, language: str) -> list[str]:
    """List the code blocks of a page that are in a language."""
    text = page.read_text(encoding='utf-8')
    return re.findall(rf'^```{language}\n(.*?)^```', text, re.S | re.M)


def command_lines(page: Path) -> list[str]:
    """List the commands of a page's bash blocks, each in one line."""
    text = '\n'.join(blocks(page, 'bash')).replace('\\\n', ' ')
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith('#')]


class Shell:
    """Runs a page's commands in a folder that looks like the repository's.

    Our tools run in this process, which saves their imports. Downloads are
    copies of made-up archives, and what changes the environment is left out.

    Args:
        folder: The folder; it becomes the current one.
        archives: Folder of the files that can be downloaded.
    """

    def __init__(self, folder: Path, archives: Path) -> None:
        self.folder = folder
        self.archives = archives
        self.env = clean_environment()
        for name in ('tools', 'configs'):
            (folder / name).symlink_to(ROOT / name)

    def words(self, line: str) -> list[str]:
        """Let bash expand a command's words."""
        found = subprocess.run(
            ['bash', '-c', f'printf "%s\\0" {line}'],
            env=self.env,
            cwd=self.folder,
            capture_output=True,
            check=True,
        )
        return found.stdout.decode().split('\0')[:-1]

    def run(self, line: str) -> None:
        """Run a command; raises if it fails."""
        assigned = re.fullmatch(r'(\w+)=(.*)', line)
        if assigned:
            name, value = assigned.groups()
            (self.env[name],) = self.words(f'"{value}"')
            return
        assert not re.search(r'[|;&<>]', line), f'too much for this: {line}'
        program, *args = self.words(line)
        commands: dict[str, Callable] = dict(
            wget=self._wget, gdown=self._gdown, python=self._python
        )
        if program == 'pip':
            assert args[0] == 'install'
        else:
            commands[program](*args)

    def _wget(self, *args: str) -> None:
        *options, folder, address = args
        assert options == ['-c', '-P']
        (self.folder / folder).mkdir(exist_ok=True)
        shutil.copy(self.archives / address.rpartition('/')[2], folder)

    def _gdown(self, name: str, option: str, path: str) -> None:
        assert option == '-O' and re.fullmatch(r'[\w-]{33}', name)
        shutil.copy(self.archives / Path(path).name, path)

    def _python(self, script: str, *args: str) -> None:
        if not script.startswith('tools/'):
            argv, sys.argv = sys.argv, [script, *args]
            try:
                runpy.run_path(script, run_name='__main__')
            finally:
                sys.argv = argv
            return
        if script == 'tools/prepare_data.py':
            args = (*args, '--any-number')  # made-up data have fewer files
        name = script.removeprefix('tools/').removesuffix('.py')
        code = load_tool(name).main(list(args))
        assert code in (None, 0), f'{script} ended with {code}'


def stand_ins(folder: Path, words: list[str]) -> None:
    """Make the files that a command reads and that do not exist."""
    if 'convert_checkpoint' in words[0]:
        words = words[:3]  # the file that it writes comes after them
    for word in words:
        path = folder / word
        if path.exists() or word.startswith('-') or '://' in word:
            continue
        if (
            path.suffix in ('.pth', '.jpg')
            or path.name.startswith('my_')  # a config that the reader writes
            or word in ('CONFIG', 'CHECKPOINT')
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        elif word.startswith('data/') and not path.suffix:
            path.mkdir(parents=True)
            (path / 'image.jpg').touch()
