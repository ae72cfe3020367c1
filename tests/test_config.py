"""Settings: what each text means, and which of four places wins."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitassets import config
from gitassets.config import SETTINGS, Config
from gitassets.errors import ConfigError


def made(*rows, **environ):
    return Config(rows, environ)


class TestTexts:
    @pytest.mark.parametrize(
        ("text", "value"),
        [("0", 0), ("1500", 1500), ("8k", 8192), ("1 KiB", 1024), ("16MiB", 2**24), ("10GB", 10**10),
         ("1.5 GiB", 3 * 2**29), ("2TiB", 2**41), (" 7b ", 7), ("1m", 2**20), ("3 tb", 3 * 10**12)],
    )  # fmt: skip
    def test_sizes(self, text, value):
        assert config.size(text) == value

    @pytest.mark.parametrize(
        "text", ["", "k", "-1", "1e3", "1 XB", "1,5 MB", "１", "1 k b", "9" * 30]
    )
    def test_bad_sizes(self, text):
        with pytest.raises(ValueError, match="size"):
            config.size(text)

    @given(st.integers(0, 10**18 - 1))
    def test_plain_bytes_are_exact(self, count):
        assert config.size(str(count)) == count

    @pytest.mark.parametrize(
        ("text", "value"), [("90", 90), ("15m", 900), ("12h", 43200), ("30d", 2592000), ("2w", 1209600), ("0", 0)]
    )  # fmt: skip
    def test_durations(self, text, value):
        assert config.seconds(text) == value

    @pytest.mark.parametrize("text", ["", "-1", "1y", "1.5h", "h", "1 d", "9" * 12])
    def test_bad_durations(self, text):
        with pytest.raises(ValueError, match="duration"):
            config.seconds(text)

    @pytest.mark.parametrize(
        ("text", "value"),
        [("1024/1", (1024, 1.0)), ("1KiB/30s", (1024, 30.0)), ("5k", (5120, 30.0))],
    )
    def test_speeds(self, text, value):
        assert config.speed(text) == value

    @pytest.mark.parametrize("text", ["TRUE", "yes", "On", "1"])
    def test_git_says_yes(self, text):
        assert config.flag(text) is True

    @pytest.mark.parametrize("text", ["false", "NO", "off", "0", ""])
    def test_git_says_no(self, text):
        assert config.flag(text) is False

    @pytest.mark.parametrize(
        ("read", "text"),
        [(config.flag, "maybe"), (config.count, "0"), (config.count, "1025"), (config.count, "x"),
         (config.count, "-3"), (config.count, "9" * 5000), (config.link_modes, "hardlink,magic"),
         (config.link_modes, ""), (config.one_of("a", "b"), "c"), (config.speed, "/5"), (config.speed, "1k/x")],
    )  # fmt: skip
    def test_what_nobody_can_use(self, read, text):
        with pytest.raises(ValueError, match=r"."):
            read(text)

    def test_link_modes(self):
        assert config.link_modes(" symlink , copy") == ("symlink", "copy")


class TestWhoWins:
    def test_option_environment_git_default(self):
        row = ("assets.jobs", "7")
        assert made().get(config.JOBS) == 4
        assert made(row).get(config.JOBS) == 7
        assert made(row, GIT_ASSETS_JOBS="9").get(config.JOBS) == 9
        assert made(row, GIT_ASSETS_JOBS="9").get(config.JOBS, 11) == 11

    def test_the_last_line_of_git_config_counts(self):
        assert made(("assets.jobs", "1"), ("ASSETS.Jobs", "2")).get(config.JOBS) == 2

    def test_an_empty_variable_is_none(self):
        assert made(("assets.jobs", "7"), GIT_ASSETS_JOBS="").get(config.JOBS) == 7

    def test_a_key_without_a_value_is_true(self):
        assert made(("assets.offline", None)).get(config.OFFLINE) is True

    def test_an_empty_value_is_not(self):
        assert made(("assets.offline", "")).get(config.OFFLINE) is False

    def test_a_bad_value_names_its_place(self):
        with pytest.raises(ConfigError, match=r"'x' for assets\.jobs") as caught:
            made(("assets.jobs", "x")).get(config.JOBS)
        assert caught.value.hint == "git config --unset assets.jobs"

    def test_a_bad_variable_is_not_git_configs(self):
        with pytest.raises(ConfigError, match="'x' for GIT_ASSETS_JOBS") as caught:
            made(GIT_ASSETS_JOBS="x").get(config.JOBS)
        assert caught.value.hint == "unset GIT_ASSETS_JOBS"

    @pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
    def test_every_setting_is_whole(self, setting):
        assert setting.key.startswith("assets.")
        assert len(setting.about) > 10
        assert setting.environment is None or setting.environment.startswith("GIT_ASSETS_")

    @pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
    def test_nonsense_is_refused_by_name(self, setting):
        if setting in {config.CACHE, config.ALLOW}:
            return  # any text will do
        with pytest.raises(ConfigError, match=setting.key):
            made((setting.key, "\0 nonsense")).get(setting)

    def test_no_setting_is_there_twice(self):
        declared = [value for value in vars(config).values() if isinstance(value, config.Setting)]
        assert sorted(s.key for s in declared) == sorted(s.key for s in SETTINGS)
        assert len({s.key.lower() for s in SETTINGS}) == len(SETTINGS)
        names = [s.environment for s in SETTINGS if s.environment]
        assert len(set(names)) == len(names)


class TestPlaces:
    def test_the_cache(self, monkeypatch):
        monkeypatch.setenv("HOME", "/home/u")
        assert made(XDG_CACHE_HOME="/x").cache_dir() == Path("/x/git-assets")
        assert made(GIT_ASSETS_CACHE="~/c").cache_dir() == Path("/home/u/c")
        assert made(("assets.cacheDir", "rel")).cache_dir() == Path.cwd() / "rel"
        assert made(GIT_ASSETS_CACHE="/a/../b").cache_dir() == Path("/b")
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert made().cache_dir().name == "git-assets"

    def test_a_ca_file(self):
        assert made().ca_file() is None
        assert made(("http.sslcainfo", "/a")).ca_file() == "/a"
        assert made(("http.sslCAInfo", "/a"), GIT_SSL_CAINFO="/b").ca_file() == "/b"


class TestProxies:
    @pytest.mark.parametrize(
        ("rows", "environ", "found"),
        [
            ([], {}, {}),
            ([], {"https_proxy": "http://p:1"}, {"https": "http://p:1"}),
            ([], {"HTTPS_PROXY": "http://p:1"}, {"https": "http://p:1"}),
            ([], {"HTTP_PROXY": "http://cgi:1"}, {}),
            ([], {"all_proxy": "http://a:1"}, {"http": "http://a:1", "https": "http://a:1"}),
            ([], {"all_proxy": "http://a:1", "http_proxy": "http://h:1"}, {"http": "http://h:1", "https": "http://a:1"}),
            ([("http.proxy", "http://g:1")], {"https_proxy": "http://p:1"}, {"http": "http://g:1", "https": "http://g:1"}),
            ([("http.proxy", "http://g:1"), ("http.proxy", "http://l:1")], {}, {"http": "http://l:1", "https": "http://l:1"}),
        ],
    )  # fmt: skip
    def test_order(self, rows, environ, found):
        assert dict(made(*rows, **environ).proxies()[0]) == found

    def test_an_empty_one_switches_all_off(self):
        """As git takes it: `git config http.proxy ""` is for hosts that need none."""
        assert made(("http.proxy", ""), https_proxy="http://p:1").proxies() == ((), ())

    def test_hosts_without(self):
        assert made(no_proxy="a, .b ,,c").proxies()[1] == ("a", ".b", "c")


def test_git_is_asked_once(repo, monkeypatch):
    monkeypatch.chdir(repo.path)
    repo.git("config", "assets.jobs", "3")
    repo.git("config", "--add", "assets.allow", "one")
    repo.git("config", "--add", "assets.allow", "two\nlines")
    repo.git("config", "--global", "assets.engine", "curl")
    repo.git("config", "core.pager", "unseen")
    started = []
    real = subprocess.Popen.__init__

    def counted(self, *args, **options):
        started.append(args)
        real(self, *args, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", counted)
    found = config.read()
    assert len(started) == 1
    assert found.get(config.JOBS) == 3
    assert found.get(config.ENGINE) == "curl"
    assert found.values("assets.allow") == ["one", "two\nlines"]
    assert found.environ is os.environ
    assert found.values("core.pager") == []
