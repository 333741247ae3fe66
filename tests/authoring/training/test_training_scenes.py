"""The recipe of scenes: what is taught, what is hidden, what is forgotten; the same weights however often it stops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from earwitness.authoring.training import data
from earwitness.authoring.training import scenes as recipe
from earwitness.authoring.training.data import scene_clips, solo_clips
from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan
from earwitness.authoring.training.prompt import PromptTraining, compose, delayed
from earwitness.authoring.training.scenes import (
    CodedScenes,
    SceneMasking,
    TextPretraining,
    estranged,
    forgotten,
    said_of,
    scenes_tokenizer,
    spoken_of,
)
from earwitness.models.spectral_codec import SpectralCodec, SpectralCodecConfig
from earwitness.worlds.events import render
from earwitness.worlds.scene_captions import PUBLIC, Lesson, SceneCaption, SceneRole, SceneWord
from earwitness.worlds.scenes import lesson, scene, solo
from earwitness.worlds.sounds import LABELS

SCENES = [scene("train", index) for index in range(40)]
TOKENIZER = scenes_tokenizer()
MASK_ID = int(TOKENIZER.convert_tokens_to_ids("<mask>"))
QUIET = PUBLIC.loudness["quiet"]
DENIAL = Lesson(
    SceneCaption(
        (
            SceneWord("loud", SceneRole.loudness, 0),
            SceneWord("dog", SceneRole.class_, 0),
            SceneWord("nearby", SceneRole.filler, None),
            SceneWord("no", SceneRole.negator, None),
            SceneWord("siren", SceneRole.negated, None),
        )
    ),
    (True, False, False, False, False),
    ("bark", "bark", None, "siren", "siren"),
)


@pytest.fixture(scope="module")
def codec() -> SpectralCodec:
    torch.manual_seed(0)
    return SpectralCodec(SpectralCodecConfig(width=8, blocks=1, codebook_size=16, codebook_dim=4, num_quantizers=2))


def test_clips_are_rendered_once_and_labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = scene_clips("train", 3, tmp_path)
    assert made.scenes == SCENES[:3]
    assert made.labels.tolist() == [[float(label in item.labels) for label in LABELS] for item in SCENES[:3]]
    np.testing.assert_allclose(made.audio[2], render(SCENES[2]).audio, atol=1e-3)
    alone = solo_clips("train", 3, tmp_path)
    assert [len(item.events) for item in alone.scenes] == [1, 1, 1]
    assert alone.labels.sum(1).tolist() == [1, 1, 1]
    monkeypatch.setattr(data, "render", lambda item: pytest.fail("rendered twice"))
    np.testing.assert_array_equal(scene_clips("train", 3, tmp_path).audio, made.audio)


def test_the_longest_caption_and_its_end_fit() -> None:
    rng = np.random.default_rng(0)
    taught = [lesson(item, rng, True) for item in SCENES * 5]
    text = SceneMasking(TOKENIZER).lessons(taught, rng)
    assert text.ids.shape == (len(taught), 13)
    assert max(len(each.caption.words) for each in taught) == 12
    assert set(PUBLIC.vocabulary()) < set(TOKENIZER.get_vocab())


def test_a_surplus_word_keeps_its_id_and_loses_its_state_zeroed_or_excluded() -> None:
    text = SceneMasking(TOKENIZER).lessons([DENIAL] * 2000, np.random.default_rng(0))
    whole = text.ids[:, :5].ne(MASK_ID).all(1)
    assert whole.float().mean() > 0.6
    loud = TOKENIZER.convert_tokens_to_ids("loud")
    assert text.ids[whole, 0].eq(loud).all()
    assert (text.kept[:, 0] == 0).all()
    assert (text.kept[whole, 1:5] == 1).all()
    assert 0.4 < text.visible[whole, 0].float().mean() < 0.6
    assert (text.visible[whole, 1:5] == 1).all()


def test_a_negator_is_never_masked_without_the_word_that_it_denies() -> None:
    text = SceneMasking(TOKENIZER).lessons([DENIAL] * 2000, np.random.default_rng(0))
    hidden = text.ids == MASK_ID
    assert hidden[:, 3].any()
    assert hidden[hidden[:, 3], 4].all()
    assert (hidden[:, 4] & ~hidden[:, 3]).any()


def test_a_negator_beside_a_true_name_does_not_take_it_along() -> None:
    words = (SceneWord("no", SceneRole.negator, 0), SceneWord("siren", SceneRole.class_, 0))
    beside = Lesson(SceneCaption(words), (True, False), ("siren", "siren"))
    text = SceneMasking(TOKENIZER).lessons([beside] * 2000, np.random.default_rng(0))
    hidden = text.ids == MASK_ID
    assert (hidden[:, 0] & ~hidden[:, 1]).any()


def test_without_masking_captions_are_whole_or_dropped_as_a_whole() -> None:
    plain = Lesson(DENIAL.caption, (False,) * 5, DENIAL.labels)
    text = SceneMasking(TOKENIZER, words=False).lessons([plain] * 2000, np.random.default_rng(0))
    kept = text.kept[:, :6].sum(1)
    assert set(kept.tolist()) == {0.0, 6.0}
    assert 0.06 < (kept == 0).float().mean() < 0.1


def test_words_speak_of_a_class_its_denial_or_nothing() -> None:
    bark, siren = LABELS.index("bark"), LABELS.index("siren")
    expected = [bark, bark, 2 * len(LABELS), len(LABELS) + siren, siren] + [-100] * 8
    assert spoken_of([DENIAL]).tolist() == [expected]


def test_words_of_an_event_know_all_that_is_said_of_it() -> None:
    words = (
        SceneWord("some", SceneRole.filler, None),
        SceneWord("quiet", SceneRole.loudness, 0),
        SceneWord("last", SceneRole.time, 0),
        SceneWord("siren", SceneRole.class_, 0),
        SceneWord("high", SceneRole.pitch, 1),
        SceneWord("dog", SceneRole.class_, 1),
        SceneWord("no", SceneRole.negator, None),
        SceneWord("rain", SceneRole.negated, None),
    )
    taught = Lesson(SceneCaption(words), (False,) * 8, (None, *["siren"] * 3, *["bark"] * 2, *["rain"] * 2))
    quiet, late, high = (
        list(table).index(value) + 1
        for table, value in ((PUBLIC.loudness, "quiet"), (PUBLIC.time, "late"), (PUBLIC.pitch, "high"))
    )
    unknown = [-100] * 3
    expected = [unknown] + [[quiet, 0, late]] * 3 + [[0, high, 0]] * 2 + [unknown] * 7
    assert said_of([taught])[0].tolist() == expected


def test_modifiers_and_negators_are_others_beside_words_that_stay() -> None:
    masking, rng = SceneMasking(TOKENIZER), np.random.default_rng(0)
    plain = Lesson(DENIAL.caption, (False,) * 5, DENIAL.labels)
    text = masking.lessons([plain] * 4000, rng)
    ids, changed = masking.beside_others(text, [plain] * 4000, rng)
    assert torch.equal(changed, ids != text.ids)
    assert not changed[:, [1, 2, 4, 5]].any()
    masked = text.ids == MASK_ID
    assert masked.any()
    assert not (changed & masked).any()
    loud, negator = (~masked[:, place] for place in (0, 3))
    assert 0.45 < changed[loud, 0].float().mean() < 0.55
    assert 0.45 < changed[negator, 3].float().mean() < 0.55
    articles, quiet = (set(TOKENIZER.convert_tokens_to_ids(list(some))) for some in (PUBLIC.articles, QUIET))
    others = ids[changed[:, 0], 0].tolist()
    assert set(others) == articles | quiet
    assert 0.4 < np.mean([other in quiet for other in others]) < 0.6
    assert set(ids[changed[:, 3], 3].tolist()) == articles


def test_most_captions_are_read_beside_others_but_for_the_words_that_are_others(codec: SpectralCodec) -> None:
    torch.manual_seed(0)
    training, masking = PromptTraining(compose(codec, len(TOKENIZER))).eval(), SceneMasking(TOKENIZER, words=False)
    rng = np.random.default_rng(1)
    text = masking.lessons([DENIAL] * 200, rng)
    ids, changed = masking.beside_others(text, [DENIAL] * 200, rng)
    with torch.inference_mode():
        states, difference = estranged(training, text, ids, changed, rng)
        own, strange = (training.states(some, text.attended) for some in (text.ids, ids))
    same = ((text.attended & ~changed) * 1.0)[..., None]
    literal = ((own - strange).square() * same).sum() / ((own.square() + strange.square()) * same).sum() * 2
    assert difference == pytest.approx(float(literal), rel=1e-4)
    assert difference > 0
    assert torch.allclose(states[changed], own[changed])
    mixed = [not torch.allclose(states[row], own[row], atol=1e-6) for row in range(200)]
    moved = changed.any(1)
    assert 0.6 < np.array(mixed)[moved.numpy()].mean() < 0.8
    beside = torch.tensor(mixed)[:, None] & text.attended & ~changed
    assert torch.allclose(states[beside], strange[beside], atol=1e-6)
    assert not estranged(training, text, text.ids, torch.zeros_like(changed), rng)[1]


def test_a_few_clips_forget_a_part_of_what_was_written() -> None:
    found = forgotten(np.random.default_rng(0), (4000, 2, 20), 0.0).float().mean((1, 2))
    assert 0.12 < (found > 0).float().mean() < 0.17
    assert 0.4 < found[found > 0].mean() < 0.6


def test_others_forget_all_or_a_stretch_from_the_start_or_to_the_end_or_between() -> None:
    gone = forgotten(np.random.default_rng(0), (4000, 2, 20), 0.5)
    same = gone[:, 0] & (gone[:, 0] == gone[:, 1]).all(1, keepdim=True)
    edges = same.int().diff(dim=1, prepend=torch.zeros(4000, 1, dtype=torch.int32))
    stretches = same.any(1) & ((edges == 1).sum(1) == 1)
    assert 0.42 < stretches.float().mean() < 0.52
    assert 0.28 < same.all(1).float().mean() < 0.35
    first, last = same[stretches, 0], same[stretches, -1]
    assert (first & ~last).any()
    assert (last & ~first).any()
    assert (~first & ~last).any()


def test_what_is_forgotten_is_read_as_padding_and_still_to_be_said(codec: SpectralCodec) -> None:
    training = PromptTraining(compose(codec, len(TOKENIZER))).eval()
    codes, read = torch.randint(16, (1, 2, 5)), []
    training.decoder.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["input_ids"]), with_kwargs=True
    )
    text = SceneMasking(TOKENIZER, words=False).lessons([DENIAL], np.random.default_rng(1))
    gone = torch.zeros(1, 2, 6, dtype=torch.bool)
    gone[0, 1, 3] = True
    assert torch.isfinite(training.loss(codes, text, gone))
    inputs, _ = delayed(codes, 16)
    assert inputs[0, 1, 3] != 16
    inputs[0, 1, 3] = 16
    assert torch.equal(read[0], inputs[0])


def test_the_text_encoder_learns_what_words_speak_of(codec: SpectralCodec, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(recipe, "TEXT_STEPS", 60)
    torch.manual_seed(0)
    model = compose(codec, len(TOKENIZER))
    rng = np.random.default_rng(9)
    taught = [lesson(item, rng, False) for item in SCENES]
    ids = torch.from_numpy(SceneMasking(TOKENIZER).encode([each.caption.text.split() for each in taught]))
    targets = torch.from_numpy(spoken_of(taught)), torch.from_numpy(said_of(taught))
    before = TextPretraining(model).loss(ids, *targets)
    recipe.pretrain_text(model, SCENES, 0, TrainingCheckpoint(tmp_path / "text.pt"))
    stored = torch.load(tmp_path / "text.pt", weights_only=True)["module"]
    head = TextPretraining(model)
    head.load_state_dict(stored)
    after = head.loss(ids, *targets)
    assert after < 0.5 * before


def test_captions_say_more_than_there_is_in_the_second_stage_alone(
    codec: SpectralCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "BATCH", 40)
    monkeypatch.setattr(recipe, "READING", 1)
    taught, own = [], SceneMasking.lessons
    monkeypatch.setattr(SceneMasking, "lessons", lambda self, some, rng: (taught.append(some), own(self, some, rng))[1])
    codes = torch.zeros((len(SCENES), 2, 5), dtype=torch.long)
    data = CodedScenes(SCENES, codes), CodedScenes([solo(item, 1) for item in SCENES], codes)
    for masked in (True, False):
        torch.manual_seed(0)
        place = TrainingCheckpoint(tmp_path / f"{masked}.pt")
        model = compose(codec, len(TOKENIZER), frames=5)
        recipe.train_scenes_prompt(model, *data, TrainingPlan("plan", 2, 1e-3, seed=0), place, masked)
    surplus = [sum(any(each.surplus) for each in some) for some in taught]
    assert surplus[0] == surplus[2] == surplus[3] == 0
    assert 5 < surplus[1] < 30


@pytest.mark.parametrize("masked", [True, False])
def test_a_killed_training_goes_on_to_the_same_weights(
    codec: SpectralCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, masked: bool
) -> None:
    monkeypatch.setattr(recipe, "BATCH", 3)
    monkeypatch.setattr(recipe, "READING", 2)
    codes = torch.randint(16, (len(SCENES), 2, 5), generator=torch.Generator().manual_seed(0))
    whole_scenes, solos = CodedScenes(SCENES, codes), CodedScenes([solo(item, 1) for item in SCENES], codes)
    plan = TrainingPlan("plan", 3, 1e-3, seed=0)

    def trained(path: Path) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        model = compose(codec, len(TOKENIZER), frames=5)
        recipe.train_scenes_prompt(model, whole_scenes, solos, plan, TrainingCheckpoint(path, every=0.0), masked)
        return dict(model.decoder.state_dict())

    whole, draw, calls = trained(tmp_path / "whole.pt"), recipe.forgotten, []

    def killed(rng: np.random.Generator, shape: tuple[int, int, int], blanks: float) -> torch.Tensor:
        calls.append((shape, blanks))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return draw(rng, shape, blanks)

    monkeypatch.setattr(recipe, "forgotten", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut.pt")
    found = trained(tmp_path / "cut.pt")
    first, then = recipe.BLANK_SHARES
    assert calls == [((3, 2, 6), first)] * 2 + [((3, 2, 6), then)] * 2
    assert all(torch.equal(found[name], tensor) for name, tensor in whole.items())
