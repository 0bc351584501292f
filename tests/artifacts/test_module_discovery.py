"""Which packages list their modules as scripts only, and the setup.cfg that keeps setuptools from discovering more."""

import configparser

import pytest

from aip_magics.artifacts.packages.module_discovery import lists_only_scripts, without_discovery

SCRIPTS = b"from setuptools import setup\nsetup(name='a', version='0', scripts=['a.py', 'b.py'])\n"


def setup(keywords):
    return b"from setuptools import setup, find_packages\nsetup(name='a', " + keywords.encode() + b")\n"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"setup.py": SCRIPTS}, True),
        ({"setup.py": SCRIPTS, "setup.cfg": b"[metadata]\nname = a\n[options]\nzip_safe = no\n"}, True),
        ({"setup.py": SCRIPTS, "pyproject.toml": b"[build-system]\nrequires = ['setuptools']\n[tool.black]\n"}, True),
        ({"setup.py": setup("scripts=['bin/run.sh']")}, False),
        ({"setup.py": setup("scripts=['a.py'], py_modules=['b']")}, False),
        ({"setup.py": setup("scripts=['a.py'], packages=find_packages()")}, False),
        ({"setup.py": setup("scripts=['a.py'], packages=found()")}, False),
        ({"setup.py": setup("scripts=['a.py'], **more")}, False),
        ({"setup.py": setup("scripts=glob('*.py')")}, False),
        ({"setup.py": b"print 'Python 2'\n"}, False),
        ({"setup.py": SCRIPTS, "setup.cfg": b"[options]\npy_modules = a\n"}, False),
        ({"setup.py": SCRIPTS, "setup.cfg": b"no section\n"}, False),
        ({"setup.py": SCRIPTS, "pyproject.toml": b"[tool.setuptools]\npy-modules = ['a']\n"}, False),
        ({"setup.py": SCRIPTS, "pyproject.toml": b"[build-system]\nbuild-backend = 'hatchling.build'\n"}, False),
        ({"pyproject.toml": b"[project]\nname = 'a'\n"}, False),
        ({}, False),
    ],
)
def test_module_discovery_of_packages_of_scripts(texts, expected):
    assert lists_only_scripts(texts) is expected


@pytest.mark.parametrize(
    "text",
    ["", "[metadata]\nname = a", "[options]\r\nzip_safe = no\r\n[egg_info]\r\ntag_build =\r\n", "[options] \n"],
)
def test_module_discovery_is_switched_off_in_setup_cfg(text):
    before, after = configparser.ConfigParser(), configparser.ConfigParser()
    before.read_string(text)
    after.read_string(without_discovery(text))
    assert after.get("options", "py_modules") == ""
    after.remove_option("options", "py_modules")
    if not before.has_section("options"):
        after.remove_section("options")
    assert after == before
