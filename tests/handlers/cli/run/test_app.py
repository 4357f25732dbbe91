"""`module:attribute` made into a router."""

import sys

import pytest

from millstream.handlers.cli.run.app import load_router
from millstream.handlers.cli.run.app_run import refuse_lane_options
from millstream.router import ConfigurationError, HaltedError, Router
from tests.handlers.cli.main_in_process import run_main

HEAD = """\
from millstream.router import InMemoryPubSub, Router

def make():
    router = Router()
    router.add_consumer_handler("own", "orders", InMemoryPubSub(), print, poison="drop")
    return router
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, whose modules are forgotten after the test; it is on no path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        module = sys.modules[name]
        if str(tmp_path) in str(getattr(module, "__path__", "") or getattr(module, "__file__", "")):
            del sys.modules[name]


def write(folder, text, name="app.py"):
    """Write a module that begins with a function that makes a router."""
    (folder / name).write_text(HEAD + text)


@pytest.mark.parametrize(
    ("app", "text"),
    [
        pytest.param("app:router", "router = make()", id="an object"),
        pytest.param("app:make", "", id="a function that makes one"),
        pytest.param("app:Own", "class Own:\n    def __new__(cls, name='x'):\n        return make()", id="a class"),
    ],
)
def test_a_router_is_found(folder, app, text):
    """In a module of the current folder, which is on the path as it is for a script."""
    write(folder, text)
    router = load_router(app)

    assert isinstance(router, Router)
    assert list(router.handlers) == ["own"]


def test_a_module_in_a_package_is_found(folder):
    """By its dotted name, also without an `__init__`."""
    (folder / "services").mkdir()
    write(folder, "router = make()", "services/orders.py")

    assert isinstance(load_router("services.orders:router"), Router)


def test_a_module_with_a_number_before_its_name_is_found(folder):
    """Only an import statement could not name it."""
    write(folder, "router = make()", "01_orders.py")

    assert isinstance(load_router("01_orders:router"), Router)


@pytest.mark.parametrize(
    "app", ["app", "app:", ":router", "a..b:x", "app:1x", "app.py:router:x", "./app:router", "app:a.b", ""]
)
def test_what_names_no_attribute_of_a_module_is_told_the_form(folder, app):
    """Before anything is imported."""
    write(folder, "")
    with pytest.raises(ConfigurationError, match=r"names no router: give module:attribute"):
        load_router(app)


def test_path_of_a_file_is_told_the_name_of_its_module(folder):
    """A file in a folder is a module in a package."""
    write(folder, "")
    with pytest.raises(ConfigurationError, match=r"module:attribute, .*; did you mean shop\.app:make_router\?$"):
        load_router("./shop/app.py:make_router")


FAILING_CALL = "def f():\n    return g()\ndef g():\n    raise KeyError('k')"
WRONG = {
    "no module": ("ap:router", "", r"no module 'ap', neither in .* nor installed"),
    "a file name": ("app.py:router", "", r"no module 'app.py', .*; did you mean app:router\?$"),
    "typo": ("app:ruoter", "router = make()", r"module 'app' has no 'ruoter'; did you mean 'router'\?"),
    "no attribute": ("app:zzz", "", r"module 'app' has no 'zzz'$"),
    "no router": ("app:number", "number = 1", r"is no Router and makes none, but gives a int"),
    "makes none": ("app:other", "def other(): return 1", r"is no Router .* gives a int"),
    "async": ("app:f", "async def f(): return make()", r"gives a coroutine"),
    "wants arguments": ("app:f", "def f(name): return make()", r"without arguments, .* 'name'"),
    "empty": ("app:router", "router = Router()", r"has no handlers"),
    "closed": ("app:router", "router = make()\nrouter.close()", r"runs once"),
    "fails": (
        "app:router",
        "router = 1 / 0",
        r"importing 'app' failed: ZeroDivisionError: .* \(app.py, line 7: router =",
    ),
    "import": ("app:router", "import nowhere", r"ModuleNotFoundError: .*'nowhere' \(app.py, line 7: import nowhere\)"),
    "syntax": ("app:router", "x = (", r"SyntaxError: .* \(app.py, line 7\)"),
    "exits": ("app:router", "exit(3)", r"SystemExit: 3 \(app.py, line 7"),
    "fails when called": ("app:f", FAILING_CALL, r"calling app:f failed: KeyError: 'k' \(app.py, line 10: raise"),
    "misuses us": ("app:f", "def f():\n    make().add_handler()", r"TypeError: .* \(app.py, line 8: make\(\).add_"),
}


@pytest.mark.parametrize(("app", "text", "told"), WRONG.values(), ids=WRONG)
@pytest.mark.filterwarnings("ignore:coroutine 'f' was never awaited")
def test_what_is_wrong_is_one_line(folder, app, text, told):
    """With what it is, and where in the user's own files."""
    write(folder, text)
    with pytest.raises(ConfigurationError, match=told) as refused:
        load_router(app)

    assert "\n" not in str(refused.value)


def test_a_router_that_runs_already_is_refused(folder):
    """As by a module that is a script without a guard."""
    write(folder, "router = make()\nrouter.start()")
    with pytest.raises(ConfigurationError, match="has run already, and a router runs once"):
        load_router("app:router")

    sys.modules["app"].router.close()


def test_an_error_that_says_what_to_do_is_left_as_it_is(folder):
    """A wrong setting, or a policy: its text and its exit code are right already."""
    write(folder, "from millstream.router import HaltedError\ndef f():\n    raise HaltedError('as it is')")
    with pytest.raises(HaltedError, match=r"^as it is$"):
        load_router("app:f")


def test_a_fault_inside_an_installed_package_is_told_with_the_users_line(folder):
    """What called it is what the user can change."""
    (folder / "site-packages").mkdir()
    (folder / "site-packages" / "installed.py").write_text("def fail():\n    raise ValueError('inside')\n")
    write(folder, "import sys\nsys.path.append('site-packages')\nimport installed\ninstalled.fail()")
    with pytest.raises(ConfigurationError, match=r"ValueError: inside \(app.py, line 10: installed.fail\(\)\)"):
        load_router("app:router")


@pytest.mark.parametrize("given", [{"once": True}, {"instance": "a"}, {"brokers": "h:1"}, {"workers": 1}])
def test_an_option_of_the_lanes_is_refused(given):
    """It would be without effect: the user's module says where its brokers are."""
    (name,) = given
    with pytest.raises(
        ConfigurationError, match=rf"^--{name} is for the lanes of the settings, not .* \(app:router\)$"
    ):
        refuse_lane_options("app:router", **{"once": False, "instance": None, "brokers": None, **given})


def test_a_single_worker_is_refused_as_several_are(tmp_path, capsys):
    """It would be without effect as well: no process is kept going, and no member is static."""
    code = run_main("run", "app:router", "--workers", "1", folder=tmp_path)

    assert code == 2
    assert "--workers is for the lanes of the settings" in capsys.readouterr().err


def test_options_that_were_not_given_are_not_refused():
    """Without any there is nothing to say."""
    refuse_lane_options("app:router", once=False, instance=None, brokers=None)
