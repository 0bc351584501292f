"""Makes %aip_deploy and its like known to IPython. aip_magics itself is imported with the first use of one of them.

AIP_MAGICS_AUTOLOAD=0 turns this off, and so does `aip-magics autoload off`, by a file in the profile.
"""


def _aip_magics():
    import importlib.util
    import os

    def run(*names):
        """A file of the package, run by its path: importing it would import the package."""
        path = os.path.join(package.submodule_search_locations[0], *names)
        spec = importlib.util.spec_from_file_location("_aip_magics_" + names[-1].partition(".")[0], path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    shell = get_ipython()  # noqa: F821
    package = importlib.util.find_spec("aip_magics")
    turned_off = os.path.join(shell.profile_dir.startup_dir, "50-aip-magics.off") if shell.profile_dir else ""
    if package is None or os.environ.get("AIP_MAGICS_AUTOLOAD") == "0" or os.path.exists(turned_off):
        return
    verbs, configuration = run("commands", "verbs.py"), run("notebook", "configuration.py")
    run("notebook", "register.py").register(shell, verbs, configuration)


try:
    _aip_magics()
except Exception:  # noqa: BLE001, S110  a package that is half gone must not trouble each start of IPython
    pass
finally:
    del _aip_magics
