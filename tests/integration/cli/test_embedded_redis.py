"""The embedded Redis: reachable by its URL, nowhere else, and its data outlives it."""

from pathlib import Path

import redis

from services.cli.embedded_redis import redis_spec, redis_url, socket_path
from services.cli.supervisor import Supervisor


def served(data_dir: Path) -> Supervisor:
    return Supervisor([redis_spec(data_dir)], log_folder=data_dir / "logs", announce=print)


def test_what_was_queued_is_there_after_a_restart(tmp_path):
    with served(tmp_path), redis.Redis.from_url(redis_url(tmp_path)) as client:
        client.rpush("celery", "a task")
    with served(tmp_path), redis.Redis.from_url(redis_url(tmp_path)) as client:
        assert client.lrange("celery", 0, -1) == [b"a task"]


def test_it_has_no_tcp_port_and_its_socket_is_private(tmp_path):
    with served(tmp_path), redis.Redis.from_url(redis_url(tmp_path)) as client:
        assert client.config_get("port") == {"port": "0"}
        assert socket_path(tmp_path).stat().st_mode & 0o077 == 0


def test_a_data_folder_with_a_long_name_works(tmp_path):
    folder = tmp_path / ("deep" * 30) / ("deeper" * 20)
    folder.mkdir(parents=True)
    with served(folder), redis.Redis.from_url(redis_url(folder)) as client:
        assert client.ping()
    assert len(str(socket_path(folder))) < 108


def test_two_folders_with_long_names_have_two_sockets(tmp_path):
    assert socket_path(tmp_path / ("a" * 200)) != socket_path(tmp_path / ("b" * 200))
