"""From facts to a plan: every combination of state, ownership, cache and --force."""

from __future__ import annotations

import itertools

import pytest
from support.content import digest

from gitassets import plan
from gitassets.model import Asset, AssetPath, Digest
from gitassets.plan import Observation, Plan, State


def asset(name, seed=None, size=10):
    return Asset(AssetPath(name), size, Digest(digest((seed or name).encode())))


A, B, C = asset("a"), asset("b"), asset("c")
EVERYTHING = list(itertools.product(State, (False, True), (False, True), (False, True)))


@pytest.mark.parametrize(("state", "tracked", "cached", "force"), EVERYTHING)
def test_each_asset_is_in_exactly_one_place(state, tracked, cached, force):
    seen = Observation(A, state, tracked=tracked, why="was modified")
    todo = plan.make([seen], {A.sha256} if cached else set(), force=force)
    places = {
        "keep": todo.keep, "link": todo.link, "fetch": todo.fetch,
        "blocked": tuple(row.asset for row in todo.blocked),
    }  # fmt: skip
    assert [name for name, assets in places.items() if assets == (A,)] == [
        name for name, assets in places.items() if assets
    ]
    assert sum(map(len, places.values())) == 1


@pytest.mark.parametrize(("state", "tracked", "cached", "force"), EVERYTHING)
def test_what_is_the_users_is_never_replaced_unrescued(state, tracked, cached, force):
    """The rule that everything else bows to."""
    seen = Observation(A, state, tracked=tracked, why="was modified")
    todo = plan.make([seen], {A.sha256} if cached else set(), force=force)
    theirs = state is State.FOREIGN or (tracked and state is State.PREVIOUS)
    replaced = A in (*todo.link, *todo.fetch)
    assert not (theirs and replaced) or (force and todo.rescue == (A.path,))
    assert bool(todo.rescue) <= replaced
    assert not (theirs and not force) or todo.blocked


def test_a_naive_plan_would_be_caught():
    """Positive control: one that looks at the state only to see whether the bytes are right."""

    def naive(seen):
        return Plan(fetch=tuple(row.asset for row in seen if row.state is not State.RIGHT))

    todo = naive([Observation(A, State.FOREIGN, why="was modified")])
    assert A in todo.fetch
    assert not todo.rescue
    assert not todo.blocked


@pytest.mark.parametrize("state", [State.ABSENT, State.PREVIOUS])
def test_nothing_stands_in_the_way(state):
    assert plan.make([Observation(A, state)], {A.sha256}).link == (A,)
    assert plan.make([Observation(A, state)], set()).fetch == (A,)
    assert plan.make([Observation(A, state)], set(), force=True).rescue == ()


def test_a_tracked_path_without_a_file_may_be_filled():
    assert plan.make([Observation(A, State.ABSENT, tracked=True)], set()).fetch == (A,)


@pytest.mark.parametrize(
    ("seen", "why", "hint"),
    [
        (Observation(A, State.PREVIOUS, tracked=True), "is tracked by git", "git rm --cached -- 'a'"),
        (Observation(A, State.FOREIGN, why="is a directory"), "is a directory", "git assets pull --force -- 'a'"),
        (Observation(A, State.FOREIGN, tracked=True, why="x"), "is tracked by git", "git rm --cached -- 'a'"),
    ],
)  # fmt: skip
def test_a_refusal_says_why_and_what_to_do(seen, why, hint):
    [refusal] = plan.make([seen], set()).blocked
    assert (refusal.asset, refusal.why, refusal.hint) == (A, why, hint)


def test_equal_contents_count_once():
    twice = [asset("x", "same", 1000), asset("y", "same", 1000), asset("z", "other", 7)]
    todo = plan.make([Observation(each, State.ABSENT) for each in twice], set())
    assert todo.fetch == tuple(twice)
    assert todo.bytes_to_fetch == 1007


def test_order_is_the_lockfiles():
    seen = [Observation(each, State.ABSENT) for each in (C, A, B)]
    assert plan.make(seen, {B.sha256}).fetch == (C, A)


def test_empty():
    assert Plan().empty
    assert plan.make([Observation(A, State.RIGHT)], set()).empty
    assert not plan.make([Observation(A, State.ABSENT)], set()).empty
    assert not plan.make([Observation(A, State.FOREIGN, why="x")], set()).empty
    assert not plan.make([], set(), remove=[A.path]).empty
    assert plan.make([], set(), remove=[A.path]).remove == (A.path,)
