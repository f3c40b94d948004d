"""Small promises: files appear whole or not at all, a folder has one owner, a taken port is named."""

import socket

import pytest

from services.cli.atomic_file import written_whole
from services.cli.data_dir import owned
from services.cli.errors import UsageError
from services.cli.ports import preferred_or_free, require_free


def test_a_file_appears_whole(tmp_path):
    with written_whole(tmp_path / "labels") as file:
        file.write("all")
        assert not (tmp_path / "labels").exists()
    assert (tmp_path / "labels").read_text() == "all"


def test_a_file_that_fails_leaves_the_old_one_and_nothing_else(tmp_path):
    (tmp_path / "labels").write_text("old")
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "labels") as file:
        file.write("half")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["labels"]
    assert (tmp_path / "labels").read_text() == "old"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="cannot be written"), written_whole(tmp_path / "no" / "labels"):
        pass


def test_a_data_folder_has_one_owner_at_a_time(tmp_path):
    with owned(tmp_path / "data"), pytest.raises(UsageError, match="another linewise"), owned(tmp_path / "data"):
        pass
    with owned(tmp_path / "data"):
        pass


def test_a_data_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(UsageError, match="cannot be used"), owned(tmp_path / "data"):
        pass


def test_taken_ports_are_all_named(free_port):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {taken} \(executor\).*--executor-port"):
            require_free({"scorer": free_port, "executor": taken})
        assert preferred_or_free(taken) != taken
    assert preferred_or_free(free_port) == free_port


def test_two_services_on_one_port_are_refused(free_port):
    with pytest.raises(UsageError, match="a port of its own"):
        require_free({"scorer": free_port, "executor": free_port})
