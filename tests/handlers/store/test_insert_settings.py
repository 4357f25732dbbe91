"""What every INSERT carries."""

import pytest

from millstream.handlers.store import StoreMisconfigured
from millstream.handlers.store.insert_settings import SETTINGS_QUERY, SettingState, insert_settings
from millstream.handlers.store.sent_settings import SENT, WISHED


def known(**changed):
    """An engine that knows every setting, each with some other value that the user may change, but for those *changed*."""
    return {**{name: SettingState("other") for name in SENT}, **changed}


def test_every_setting_of_the_table_is_sent():
    """Whatever the user's profile holds, the values are ours."""
    settings = insert_settings(60.0, known())

    assert {name: settings[name] for name in SENT} == {name: each.value for name, each in SENT.items()}


def test_engine_gets_only_what_it_knows():
    """An engine without a setting would refuse the whole INSERT for it."""
    settings = insert_settings(60.0, {"async_insert": SettingState("1")})

    assert settings == {"async_insert": 0, "wait_end_of_query": 1}


def test_views_are_told_to_recognise_repeats_only_where_that_is_the_default():
    """On engines before 26.2 a token that is passed on would keep the second of two views out of a common target."""
    name = "deduplicate_blocks_in_dependent_materialized_views"
    older = {name: SettingState("0")}

    assert name not in insert_settings(60.0, older)
    assert insert_settings(60.0, {**older, "deduplicate_insert": SettingState("disable")})[name] == 1


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(SettingState("1", is_locked=True), id="locked"),
        pytest.param(SettingState("1", lowest="1"), id="too low"),
        pytest.param(SettingState("-1", highest="-1"), id="too high"),
    ],
)
def test_setting_that_the_user_may_not_send_is_an_error_that_names_it(state):
    """Both values and what to do, before anything is stored in another way."""
    with pytest.raises(
        StoreMisconfigured, match=rf"async_insert is {state.value}, must be 0; lift the constraint, or set it"
    ):
        insert_settings(60.0, known(async_insert=state))


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(SettingState("0", is_locked=True), id="locked where it must be"),
        pytest.param(SettingState("0", lowest="1"), id="has it, though it may not be sent"),
        pytest.param(SettingState("1", lowest="0", highest="0"), id="within its bounds"),
    ],
)
def test_constraint_that_leaves_the_right_value_is_no_error(state):
    """Only the value counts."""
    settings = insert_settings(60.0, known(async_insert=state))

    assert settings["async_insert"] == 0


def test_user_who_may_set_nothing_gets_one_line():
    """Three settings and the number of the others, in at most the 300 characters of a reason."""
    nothing = {name: SettingState("other", is_locked=True) for name in SENT}

    with pytest.raises(StoreMisconfigured, match=rf"and {len(SENT) - 3} more;") as caught:
        insert_settings(60.0, nothing)

    assert len(str(caught.value)) <= 300


def test_engine_is_asked_about_everything_that_may_be_sent():
    """What it is not asked about is never sent."""
    assert [name for name in (*SENT, *WISHED, "max_execution_time") if f"'{name}'" not in SETTINGS_QUERY] == []


@pytest.mark.parametrize("is_locked", [True, False])
def test_store_is_asked_to_save_work_where_its_user_may(is_locked):
    """A wish decides about no row, so a constraint is no error."""
    name = "input_format_parallel_parsing"
    settings = insert_settings(60.0, {name: SettingState("1", is_locked=is_locked)})

    assert settings.get(name) == (None if is_locked else 0)


@pytest.mark.parametrize(("deadline", "seconds"), [(60.0, 55), (5.5, 1), (0.1, 1)])
def test_engine_gives_up_before_we_do(deadline, seconds):
    """The engine's own limit is five seconds below the deadline, and never 0, which would mean none."""
    settings = insert_settings(deadline, {"max_execution_time": SettingState("0")})

    assert settings["max_execution_time"] == seconds


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        pytest.param(SettingState("30", is_locked=True), None, id="locked"),
        pytest.param(SettingState("0", highest="20"), 20, id="at most 20"),
    ],
)
def test_users_own_time_limit_is_kept(state, seconds):
    """It decides about no row, so the user's constraint is no error."""
    settings = insert_settings(60.0, {"max_execution_time": state})

    assert settings.get("max_execution_time") == seconds
