"""The commands of the documentation's pages, and a shell that runs them."""

import re
import runpy
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .helpers import ROOT, clean_environment, load_tool

NEW_ENVIRONMENT = ('bash tools/setup_env.sh', 'source .venv/bin/activate')
DOCS = ROOT / 'docs/en'
PAGES = sorted(
    path for path in DOCS.rglob('*.md') if '_build' not in path.parts
)


def blocks(page: Path, language: str) -> list[str]:
    """List the code blocks of a page that are in a language."""
    text = page.read_text(encoding='utf-8')
    return re.findall(rf'^```{language}\n(.*?)^```', text, re.S | re.M)


def command_lines(page: Path, language: str = 'bash') -> list[str]:
    """List the commands of a page's blocks, each in one line."""
    text = '\n'.join(blocks(page, language)).replace('\\\n', ' ')
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith('#')]


class Shell:
    """Runs a page's commands in a folder that looks like the repository's.

    Our tools run in this process, which saves their imports; a training on
    several GPUs runs on one device. Downloads are copies of made-up archives,
    and what changes the environment is left out.

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

    def shrink(self, tool: str, args: list[str]) -> list[str]:
        """Further arguments of a tool, which make it fast."""
        # Made-up data have fewer files.
        return ['--any-number'] if tool == 'prepare_data' else []

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
        assigned = re.fullmatch(r'(?:export )?(\w+)=(.*)', line)
        if assigned:
            name, value = assigned.groups()
            (self.env[name],) = self.words(f'"{value}"')
            return
        assert not re.search(r'[|;&<>]', line), f'too much for this: {line}'
        program, *args = self.words(line)
        commands: dict[str, Callable] = dict(
            wget=self._wget,
            gdown=self._gdown,
            python=self._python,
            bash=self._bash,
            mkdir=partial(self._command, 'mkdir'),
            cp=partial(self._command, 'cp'),
        )
        if program == 'pip':
            assert args[0] == 'install'
        elif line not in NEW_ENVIRONMENT:
            commands[program](*args)

    def _command(self, *words: str) -> None:
        subprocess.run(words, cwd=self.folder, check=True)

    def _bash(self, script: str, config: str, gpus: str, *args: str) -> None:
        assert script == 'tools/dist_train.sh' and gpus.isdigit()
        self._python('tools/train.py', config, *args)

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
            self._run_as_main(script, *args)
            return
        name = script.removeprefix('tools/').removesuffix('.py')
        args = [*args, *self.shrink(name, list(args))]
        code = load_tool(name).main(args)
        assert code in (None, 0), f'{script} ended with {code}'

    def _run_as_main(self, script: str, *args: str) -> None:
        """Run a file, or a module after -m."""
        run, start = runpy.run_path, sys.argv
        if script == '-m':
            run, (script, *args) = runpy.run_module, args
        sys.argv = [script, *args]
        try:
            with warnings.catch_warnings():
                # The module was imported before.
                warnings.simplefilter('ignore', RuntimeWarning)
                run(script, run_name='__main__')
        except SystemExit as end:
            assert not end.code, end.code
        finally:
            sys.argv = start


def stand_ins(folder: Path, words: list[str]) -> None:
    """Make the files that a command reads and that do not exist."""
    if 'convert_checkpoint' in words[0]:
        words = words[:3]  # the file that it writes comes after them
    for word in words:
        path = folder / word
        if path.exists() or word.startswith('-') or '://' in word:
            continue
        if (
            path.suffix in ('.pth', '.jpg', '.json')
            or (path.suffix == '.png' and word.startswith('data/'))
            or path.name.startswith('my_')  # a config that the reader writes
            or word in ('CONFIG', 'CHECKPOINT')
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        elif word.startswith('data/') and not path.suffix:
            path.mkdir(parents=True)
            (path / 'image.jpg').touch()
