"""A real job's exports in the hands of those they are for: `datasets` loads them, TRL's PRMTrainer learns from them."""

import re

import httpx
import pytest

from services.client import LabelerClient
from services.contracts import JobRequest, LabelRecord, TrlRecord
from services.labeler.app import create_app

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of TRL's and its libraries' doing


@pytest.fixture
async def job(settings, serve, start_worker, problems, tmp_path):
    """A finished job; its exports lie in `tmp_path` as `labels.jsonl`, `labels.trl`, `labels.parquet`."""
    start_worker(settings)
    async with LabelerClient(serve(create_app(settings))) as client:
        job = await client.create_job(JobRequest(name="small", problems=problems, augmented_tests=4, license="MIT"))
        last = [event async for event in client.events(job.id)][-1]
        for form in ("jsonl", "trl", "parquet"):
            with (tmp_path / f"labels.{form}").open("wb") as file:
                async for piece in client.export(job.id, form):
                    file.write(piece)
        (tmp_path / "card.md").write_text(await client.card(job.id), encoding="utf-8")
        async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
            kinds = {
                path: (await http.get(f"/jobs/{job.id}/{path}")).headers["Content-Type"]
                for path in ("labels", "labels?format=parquet", "card")
            }
    assert kinds == {
        "labels": "application/x-ndjson",
        "labels?format=parquet": "application/vnd.apache.parquet",
        "card": "text/markdown; charset=utf-8",
    }
    return last


@pytest.fixture
def load(tmp_path, monkeypatch):
    """`datasets.load_dataset` of one local file, without the network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import load_dataset

    return lambda kind, name: load_dataset(
        kind, data_files=str(tmp_path / name), split="train", cache_dir=str(tmp_path / "cache")
    )


async def test_datasets_loads_jsonl_and_parquet_as_the_same_records(job, load, tmp_path):
    written = [LabelRecord.model_validate_json(line) for line in (tmp_path / "labels.jsonl").open(encoding="utf-8")]
    assert len(written) > 20
    for kind, name in (("json", "labels.jsonl"), ("parquet", "labels.parquet")):
        assert [LabelRecord.model_validate(row) for row in load(kind, name)] == written
    marks = [step.label for record in written for step in record.steps]
    assert (marks.count(1), marks.count(0)) == (job.labels.positive, job.labels.negative)


async def test_trls_prm_trainer_trains_on_the_export_as_it_is(job, load, tmp_path):
    import torch
    from transformers import LlamaConfig, LlamaForTokenClassification

    prm = pytest.importorskip("trl.experimental.prm", reason="this TRL has no PRMTrainer: 1.13 is the last that does")
    from trainer.tokenizers import train_bpe

    data = load("json", "labels.trl")
    assert [TrlRecord.model_validate(row) for row in data] == [
        TrlRecord.model_validate_json(line) for line in (tmp_path / "labels.trl").open(encoding="utf-8")
    ]
    torch.manual_seed(0)
    tokenizer = train_bpe(["\n".join([row["prompt"], *row["completions"]]) for row in data], 300)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForTokenClassification(LlamaConfig(vocab_size=len(tokenizer), **sizes, num_labels=2))
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    config = prm.PRMConfig(
        output_dir=str(tmp_path / "run"),
        max_steps=1,
        per_device_train_batch_size=8,
        learning_rate=1e-2,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
    )
    trainer = prm.PRMTrainer(model, args=config, train_dataset=data, processing_class=tokenizer)
    assert 0 < trainer.train().training_loss < 10
    assert any(not torch.equal(before[name], weight) for name, weight in trainer.model.state_dict().items())


async def test_the_cards_figures_are_the_jobs(job, tmp_path):
    card = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert card.startswith('---\nlicense: "mit"\n')
    total = next(line for line in card.splitlines() if line.startswith("| all |"))
    problems, rejected, _, positive, negative, _ = (int(cell.replace(",", "")) for cell in total.split("|")[2:-1])
    assert (problems, rejected) == (job.problems.total, job.problems.rejected)
    assert (positive, negative) == (job.labels.positive, job.labels.negative)
    killed, survived = job.mutants.killed, job.mutants.survived
    assert f"survived all tests: {survived:,} of {killed + survived:,}" in card
    operators = [line for line in card.splitlines() if line.startswith("| mutation | ") and line.count("|") == 9]
    assert sum(int(re.split(r" \| ", line)[3]) for line in operators) == killed
