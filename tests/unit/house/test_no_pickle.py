"""Nothing in this house reads or writes a format that runs code when it is read."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from trainer.errors import PolicyError
from trainer.policies import load_policy

ROOT = Path(__file__).parents[3]
ROOMS = ("services", "trainer", "examples", "docker")
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "multiprocessing", "pickletools"}
CALLS = {"torch.load", "torch.save", "numpy.load", "np.load"}
LOADERS = {"AutoModel", "AutoModelForCausalLM", "AutoModelForSeq2SeqLM", "AutoModelForTokenClassification", "family"}


def findings(source: str) -> Iterator[str]:
    """What a module has that it should not: an import, a call, or weights loaded without saying which kind."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.split(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in MODULES:
                yield module
            case ast.Call(func=func) if ast.unparse(func) in CALLS:
                yield ast.unparse(func)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=loader), attr="from_pretrained"), keywords=keywords):
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in keywords}
                from_gguf = None in given  # `**named`, a GGUF file, which holds tensors and no code
                if loader in LOADERS and given.get("use_safetensors") != "True" and not from_gguf:
                    yield f"{loader}.from_pretrained"


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_imports_or_calls_what_unpickles(room: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {finding}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for finding in findings(path.read_text(encoding="utf-8"))
    }
    assert not found


def test_what_unpickles_would_be_found() -> None:
    source = "import pickle, os\nfrom joblib import load\nx = torch.load('w')\nm = AutoModel.from_pretrained('f')\n"
    assert sorted(findings(source)) == ["AutoModel.from_pretrained", "joblib", "pickle", "torch.load"]
    assert not list(findings("m = AutoModel.from_pretrained('f', use_safetensors=True)\n"))


def test_a_policy_of_pickled_weights_alone_is_refused_with_advice(tmp_path: Path) -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0))
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(PolicyError, match="pickled weights are never loaded") as refused:
        load_policy(tmp_path)
    assert "docs/operate.md" in str(refused.value)
