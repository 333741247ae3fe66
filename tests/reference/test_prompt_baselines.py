"""Baselines of the prompt track against their authors' code: AudioGenX, Grad-CAM on attention, AtMan.

`EARWITNESS_REFERENCES=FOLDER pytest -m reference tests/reference/test_prompt_baselines.py`, with audiocraft installed.
Of AudioGenX all runs: its language model, its networks, and the loop of its script; nothing is downloaded.
"""

from __future__ import annotations

import ast
import sys
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Optional

import numpy as np
import pytest
import torch
from torch import nn

from baselines import baseline, make_item
from earwitness.explaining.attention_suppression import suppressed
from earwitness.explaining.audiogenx_released import SingleSteps, released_mask
from earwitness.models import musicgen
from earwitness.models.audiogen_conversion import convert
from earwitness.models.audiogen_files import LANGUAGE, read_checkpoint
from earwitness.models.audiogen_parts import audiocraft
from earwitness.stand_ins import stand_in, standing_in
from reference.references import Checkout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import CodeType

    from earwitness.models.musicgen import MusicgenModel

pytestmark = [pytest.mark.reference, pytest.mark.filterwarnings("ignore::FutureWarning")]

AUDIOGENX = Checkout("hjkng/audiogenX", "3881f1e")
CHEFER = Checkout("hila-chefer/Transformer-MM-Explainability", "58eaea8")
ATMAN = Checkout("Aleph-Alpha/AtMan", "847f090")
UNCHANGED = (
    "modules.conditioners modules.streaming modules.codebooks_patterns modules.activations modules.rope utils.utils "
    "utils.autocast"
)
"""Modules of audiocraft that their copy takes as they are: the installed ones serve."""
SECONDS, EPOCHS, PROMPT = 0.24, 3, "a recording of bass and drums"


@contextmanager
def former_torch() -> Iterator[None]:
    """While it lasts, torch has a name of typing's that it had when their code was written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "Optional", Optional, raising=False)
        yield


def released(name: str) -> Any:
    """A module of the copy of audiocraft that the authors changed, beside the installed audiocraft; in `attending`."""
    for each in UNCHANGED.split():
        sys.modules.setdefault(f"{AUDIOGENX.beside('audiocraft')}.{each}", audiocraft(each))
    with former_torch():
        return AUDIOGENX.module("audiocraft", name, renamed=True)


def compiled(script: Path) -> tuple[CodeType, CodeType]:
    """Their functions, and an epoch of their training without what it prints."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.For) and ast.unparse(node.target) == "epoch"]
    epoch = [node for node in loops[0].body if not isinstance(node, ast.If)]
    one, other = (compile(ast.Module(body, []), str(script), "exec") for body in (functions, epoch))
    return one, other


@pytest.fixture(scope="module")
def attending() -> Iterator[None]:
    """xformers' names are there: their attention asks for them in every pass, and takes torch's all the same."""
    ops = stand_in("xformers.ops", unbind=torch.unbind, LowerTriangularMask=type("LowerTriangularMask", (), {}))
    with standing_in([stand_in("xformers"), ops]):
        yield


@pytest.fixture(scope="module")
def both(attending: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[MusicgenModel, Any]:
    """A tiny AudioGen as we read it, and the authors' language model with the same weights."""
    from tiny_audiogen import own_language_model
    from tiny_published import audiogen, shrunk_audiogen

    torch.set_num_threads(1)
    theirs = released("models.lm").LMModel
    folder = audiogen(tmp_path_factory.mktemp("audiogen"))
    builders = audiocraft("models.builders")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builders, "LMModel", theirs)
        lm = own_language_model(folder, shrunk_audiogen()[LANGUAGE], width=12)
    lm.load_state_dict(read_checkpoint(str(folder), "main").language.weights)
    for layer in lm.transformer.layers:
        layer.cross_attention.memory_efficient = layer.self_attn.memory_efficient = True
    assert type(lm) is theirs
    ours = musicgen.from_pretrained(convert(str(folder), str(folder / "converted")), seconds=SECONDS)
    return ours, lm.requires_grad_(False)


@pytest.fixture
def training(both: tuple[MusicgenModel, Any]) -> tuple[Any, dict[str, Any]]:
    """Our item, and what an epoch of their script needs to explain it: networks are drawn from the item's seed."""
    model, lm = both
    item = make_item(model, PROMPT, 1)
    conditioning = audiocraft("modules.conditioners").ConditioningAttributes
    audiogen = SimpleNamespace(
        frame_rate=model.frame_rate,
        _prepare_tokens_and_attributes=lambda texts, _: ([conditioning(text={"description": t}) for t in texts], None),
    )
    explainer = released("models.explainer").Explainer(audiogen, lm, duration=SECONDS, use_sampling=False)
    pattern = lm.pattern_provider.get_pattern(model.frames)
    codes = torch.as_tensor(item.codes)[None]
    sequence = pattern.build_pattern_sequence(codes, lm.special_token_id)[0]
    with torch.no_grad():
        _, _, states = explainer.generate_with_mask([PROMPT], is_reproduce=True, gen_sequence=sequence)
    embedding = explainer.get_token_emb(PROMPT).squeeze().detach()
    torch.manual_seed(item.explainer_seed)
    networks = nn.ModuleList(released("models.mask").MaskGenerator(*embedding.shape) for _ in range(states.shape[1]))
    for network in networks:
        network.hard = False
    return item, {
        "torch": torch,
        "explainer": explainer,
        "maskGenerators": networks,
        "optimizer": torch.optim.Adam(networks.parameters(), lr=1e-3, weight_decay=1e-3),
        "cos": nn.CosineSimilarity(dim=-1, eps=1e-6),
        "args": SimpleNamespace(beta=1e-3, gamma=0.1),
        "ori_sequence": sequence,
        "ori_cond": states[0],
        "description": PROMPT,
        "description_emb": embedding,
    }


def test_the_steps_and_states_that_audiogenx_trains_on_are_its_authors(
    both: tuple[MusicgenModel, Any], training: tuple[Any, dict[str, Any]]
) -> None:
    item, names = training
    steps = SingleSteps(both[0], item)
    assert len(steps.columns) == item.codes.shape[1] + item.codes.shape[0] - 1
    assert item.special[-1], "</s> is there"
    assert torch.equal(steps.columns, names["ori_sequence"][0, :, :-1].T)
    torch.testing.assert_close(steps.states, names["description_emb"], rtol=0, atol=1e-5)
    torch.testing.assert_close(steps.original, names["ori_cond"], rtol=0, atol=1e-5)


def test_every_term_of_audiogenxs_loss_is_its_authors(
    both: tuple[MusicgenModel, Any], training: tuple[Any, dict[str, Any]]
) -> None:
    item, names = training
    functions, epoch = compiled(AUDIOGENX.folder() / "explain.py")
    exec(functions, names)
    exec(epoch, names)
    steps = SingleSteps(both[0], item)
    terms = steps.terms(names["params"].detach(), names["reparams"].detach())
    expected = [float(names[name].detach()) for name in ("loss_F", "loss_CF", "l1", "l2")]
    found = [float(term) for term in terms]
    print("\n", dict(zip(terms._fields, zip(found, expected, strict=True), strict=True)))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_audiogenx_as_released_ends_in_its_authors_mask(
    both: tuple[MusicgenModel, Any], training: tuple[Any, dict[str, Any]]
) -> None:
    item, names = training
    functions, epoch = compiled(AUDIOGENX.folder() / "explain.py")
    exec(functions, names)
    for _ in range(EPOCHS):
        exec(epoch, names)
    with torch.no_grad():
        _, expected = names["gen_mask"](names["maskGenerators"], names["description_emb"])
    explainer = baseline("audiogenx").build(procedure="released", epochs=EPOCHS, average="none")
    found = released_mask(both[0], item, explainer.training)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    frames = expected[: item.codes.shape[1]].numpy() * ~item.special
    np.testing.assert_allclose(explainer.explain(both[0], item).weights, frames, atol=1e-5)


def test_grad_cam_on_attention_is_that_of_the_baselines_of_chefer_et_al() -> None:
    generator = torch.Generator().manual_seed(0)
    attention = torch.randn(1, 4, 7, 5, generator=generator).mul(4).softmax(-1)
    gradient = torch.randn(1, 4, 7, 5, generator=generator) + torch.tensor([2.0, -2.0, 1.0, -1.0])[:, None, None]
    theirs = CHEFER.module("DETR", "modules.ExplanationGenerator").Generator.gradcam(None, attention, gradient)
    found = baseline("grad_cam").module.weighted_heads(attention, gradient)[0]
    assert (found > 0).any()
    assert (found == 0).any()
    torch.testing.assert_close(found, theirs)


@pytest.mark.parametrize("left", [0.1, 0.5])
def test_atmans_suppression_is_that_of_its_authors(left: float) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = 3 * torch.randn(2, 4, 7, 5, generator=generator)
    factors = torch.ones(2, 1, 1, 5)
    factors[0, ..., 3] = factors[1, ..., 0] = left
    module = ATMAN.module("atman_magma", "manipulate_attention", within="atman-magma")
    present = torch.ones(1, 1, 7, 5, dtype=torch.bool)
    theirs = module.manipulate_attention_scores(scores, present, factors.expand(-1, -1, 7, -1)).softmax(-1)
    torch.testing.assert_close(suppressed(scores, factors), theirs)
