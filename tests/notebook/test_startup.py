"""The start-up file in an environment of its own: the magics are there, the package is not, until one is used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from kernel_client import Kernel, kernel

ROOT = Path(__file__).parents[2]
STARTUP = Path("ipython", "startup", "50-aip-magics.py")
LISTED = """
import sys
found = get_ipython().magics_manager.lsmagic()
print(sorted(name for name in found["cell"] if name.startswith("aip_")))
print("aip_magics" in sys.modules)
print([name for name in list(globals()) if "aip" in name])
"""


class Prefix:
    """A virtual environment that sees the libraries of this one, but not our package."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "env"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.directory], check=True, timeout=60)
        self.python = self.directory / "bin" / "python"
        self.env = {
            "PATH": f"{self.directory / 'bin'}:/usr/bin:/bin",
            "HOME": str(directory),
            "IPYTHONDIR": str(directory / "ipython"),
            "AIP_MAGICS_HOME": str(directory / "aip"),
        }
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        self.site = Path(subprocess.check_output([self.python, "-c", code], text=True, timeout=60).strip())
        # A path file that is named in a path file is not read: an editable install of ours stays outside.
        self.add_path(sysconfig.get_path("purelib"))

    def add_path(self, path: str | Path) -> Path:
        file = self.site / f"{Path(path).name}.pth"
        file.write_text(f"{path}\n")
        return file

    def ipython(self, code: str) -> str:
        words = [self.python, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code]
        done = subprocess.run(words, capture_output=True, text=True, env=self.env, cwd=self.directory, timeout=120)
        assert done.returncode == 0, done.stderr + done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def prefix(tmp_path: Path) -> Prefix:
    """An environment as the wheel leaves it: the start-up file in its place, the package to be imported."""
    made = Prefix(tmp_path)
    shutil.copytree(ROOT / "jupyter-config" / "ipython", made.directory / "etc" / "ipython")
    made.add_path(ROOT)
    return made


def listed(text: str) -> tuple[str, bool, str]:
    magics, imported, names = text.strip().splitlines()[-3:]
    return magics, imported == "True", names


def test_startup_lists_the_magics_and_imports_the_package_when_one_is_used(prefix: Prefix, tmp_path: Path) -> None:
    with kernel(prefix.python, tmp_path, prefix.env) as real:
        magics, imported, names = listed(real.run(LISTED))
        assert "'aip_deploy'" in magics
        assert (imported, names) == (False, "[]")
        assert "%aip_deploy" in real.run("%lsmagic")
        assert completes(real) == ["--origin"]  # which needs the package
        assert "usage: %aip_deploy" in real.run("%aip_deploy --help")
        assert listed(real.run(LISTED))[1:] == (True, "[]")
        real.run("%load_ext aip_magics\n%reload_ext aip_magics")
        assert completes(real) == ["--origin"]
        assert listed(real.run(LISTED))[0] == magics


CONFIGURED = """
%config AipMagics.project = "of-config"
import sys
print("aip_magics" in sys.modules)
{load}
settings = %aip_config --quiet
print(settings.settings["project"].value, settings.settings["project"].label)
%config AipMagics.project = "of-config-too"
settings = %aip_config --quiet
print(settings.settings["project"].value, len([c for c in get_ipython().configurables if "Aip" in type(c).__name__]))
"""


@pytest.mark.parametrize("load", ["", "%load_ext aip_magics"])
def test_startup_takes_what_is_configured_before_the_first_magic(prefix: Prefix, load: str) -> None:
    lines = prefix.ipython(CONFIGURED.format(load=load)).strip().splitlines()[-3:]
    assert lines == ["False", "of-config configuration of this session", "of-config-too 1"]


def test_startup_takes_what_is_configured_after_load_ext_alone(prefix: Prefix) -> None:
    prefix.env["AIP_MAGICS_AUTOLOAD"] = "0"
    code = CONFIGURED.format(load="").replace("import sys", "import sys\nprint(1)", 1)
    lines = prefix.ipython(f"%load_ext aip_magics\n{code}").strip().splitlines()[-3:]
    assert lines == ["True", "of-config configuration of this session", "of-config-too 1"]


def test_startup_takes_what_ipythons_own_file_configures(prefix: Prefix) -> None:
    profile = Path(prefix.env["IPYTHONDIR"]) / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text('c.AipMagics.project = "of-the-file"\n')
    code = "settings = %aip_config --quiet\nprint(settings.settings['project'].value)"
    assert prefix.ipython(code).strip().splitlines()[-1] == "of-the-file"


def completes(real: Kernel) -> list[str]:
    return real.complete("%aip_deploy --orig|")[1]


def test_startup_in_a_terminal_can_be_turned_off_by_the_variable(prefix: Prefix) -> None:
    assert listed(prefix.ipython(LISTED))[0] != "[]"
    prefix.env["AIP_MAGICS_AUTOLOAD"] = "0"
    assert listed(prefix.ipython(LISTED)) == ("[]", False, "[]")


def test_startup_can_be_turned_off_by_a_profile(prefix: Prefix) -> None:
    subprocess.run([prefix.python, "-m", "aip_magics", "autoload", "off", "-q"], env=prefix.env, check=True, timeout=60)
    assert listed(prefix.ipython(LISTED)) == ("[]", False, "[]")
    subprocess.run([prefix.python, "-m", "aip_magics", "autoload", "on", "-q"], env=prefix.env, check=True, timeout=60)
    assert listed(prefix.ipython(LISTED))[0] != "[]"


@pytest.mark.parametrize("content", [None, "raise RuntimeError('broken')", "VERBS = {"])
def test_startup_is_not_disturbed_by_a_missing_or_broken_package(
    prefix: Prefix, tmp_path: Path, content: str | None
) -> None:
    (prefix.site / f"{ROOT.name}.pth").unlink()
    if content is not None:
        for part in ("commands", "notebook"):
            folder = tmp_path / "broken" / "aip_magics" / part
            folder.mkdir(parents=True)
            (folder / "register.py").write_text(content)
        (tmp_path / "broken" / "aip_magics" / "__init__.py").write_text("")
        prefix.add_path(tmp_path / "broken")
    assert listed(prefix.ipython(LISTED)) == ("[]", False, "[]")


def test_startup_takes_a_copy_in_the_profile_beside_the_file(prefix: Prefix) -> None:
    copy = Path(prefix.env["IPYTHONDIR"], "profile_default", "startup", STARTUP.name)
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / "jupyter-config" / STARTUP, copy)
    magics, imported, names = listed(prefix.ipython(LISTED))
    assert magics.count("'aip_deploy'") == 1
    assert (imported, names) == (False, "[]")


@pytest.mark.network
def test_startup_file_comes_with_the_wheel_and_goes_with_it(tmp_path: Path) -> None:
    made = Prefix(tmp_path)
    uv = [sys.executable, "-m", "uv", "--quiet"]

    def run(*words: str | Path) -> None:
        subprocess.run([*uv, *words], check=True, timeout=300, env={**os.environ, "UV_NO_CONFIG": "1"})

    run("build", "--wheel", "--out-dir", tmp_path / "dist", ROOT)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    run("pip", "install", "--python", made.python, "--no-deps", wheel)
    assert (made.directory / "etc" / STARTUP).is_file()
    with kernel(made.python, tmp_path, made.env) as real:
        magics, imported, _ = listed(real.run(LISTED))
        assert "'aip_deploy'" in magics
        assert not imported
        assert str(made.site) in real.run("%aip_server status -q\nimport aip_magics; print(aip_magics.__file__)")
    run("pip", "uninstall", "--python", made.python, "aip-magics")
    assert not (made.directory / "etc" / STARTUP).exists()
    assert listed(made.ipython(LISTED)) == ("[]", False, "[]")
