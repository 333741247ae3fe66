"""The recipe of the text-to-audio model of scenes.

First its words are bound to their events, then each is taught to mean something by itself, so that removing the state
of a word removes what it says:

* before the decoder sees any of it, the text encoder learns which class each word speaks of, and what else is said of
  its event;
* for a share of the clips the decoder forgets some or all of the codes that it wrote, and has to read: words are worth
  a few nats a clip beside the codes before, and a hundred without them;
* in a first stage that is most of the clips, captions say what there is, and many clips have a single event: an early
  one is followed by silence, so that little else than the word tells when it sounds;
* in the second stage the decoder reads most words as they are beside other modifiers and negators than the caption has:
  what these say is to be had from their own states alone; besides, words are to be the same whatever stands beside
  them;
* and a share of the captions says more than there is: the surplus words reach the encoder, not the decoder. A name
  without which its modifiers say nothing is one of them, and a negator beside a true name: what denies is its state,
  and without it the class sounds. A negator that is masked takes the word that it denies along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import MusicgenForConditionalGeneration, PreTrainedTokenizerFast

from earwitness.authoring.training.data import Clips, scene_clips, solo_clips
from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan, fit
from earwitness.authoring.training.prompt import (
    BATCH,
    LEARNING_RATE,
    MASK,
    CaptionBatch,
    PromptTraining,
    WordMasking,
    build_tokenizer,
    compose,
    encode_clips,
    save_model,
)
from earwitness.authoring.training.scene_floors import measure
from earwitness.authoring.training.scene_judges import fit_scene_judges
from earwitness.authoring.training.workshop import Workshop
from earwitness.models.spectral_codec import SpectralCodec
from earwitness.worlds.scene_captions import MAX_WORDS, MODIFIERS, PUBLIC, Lesson, Lexicon, SceneRole, SceneWord
from earwitness.worlds.scenes import MadeScene, Split, lesson
from earwitness.worlds.sounds import LABELS

CLIPS = 12_000
STEPS = 16_000
TEXT_STEPS, TEXT_BATCH, TEXT_RATE = 1000, 64, 1e-3
TOKENS = MAX_WORDS + 1
FORGETFUL = 0.15
"""Share of clips of which the decoder forgets a random share of the codes that it wrote."""
SOLOS = 4000
"""Clips of one event."""
READING = 1810
"""Steps of the first stage, in which the decoder learns to read."""
BLANK_SHARES, SOLO_SHARES, EMBELLISHED_SHARES = (0.6, 0.5), (0.3, 0.2), (0.0, 0.45)
"""Shares of clips of which the decoder forgets a stretch or all, of clips of one event, and of captions that say more
than there is: in the first stage, and then."""
ESTRANGED = 0.7
"""Share of captions of the second stage whose words are read as they are beside other modifiers and negators."""
REPLACED, SILENCED = 0.5, 0.5
"""Shares of modifiers and negators that are others there, and of these that are an article."""
ALIKE = 5.0
"""Weight of the difference that other modifiers and negators make to the words beside them."""
HELD_OUT: tuple[Split, ...] = ("validation", "test")

_IGNORED = -100
_VALUES = 3
"""Of loudness, pitch and time, not said among them."""
_CLASSES = {label: number for number, label in enumerate(LABELS)}


def train_scenes(out: Path, work: Workshop, codec: SpectralCodec) -> dict[str, Any]:
    """Train judges and text-to-audio model around a codec, write them into `out`, return their seconds and floors."""
    torch.set_num_threads(1)
    train_clips = scene_clips("train", CLIPS, work.clips)
    seconds = {
        **fit_scene_judges(train_clips, codec, out, work),
        **fit_prompt(train_clips, solo_clips("train", SOLOS, work.clips), codec, out, work),
    }
    floors = {split: measure(out, split) for split in HELD_OUT}
    return {"seed": work.seed, "seconds": seconds, "floors": floors}


class SceneMasking(WordMasking):
    """Masks words of lessons as explainers will; never a negator without the word that it denies.

    Without `words`, captions are dropped as a whole only, as guidance without a classifier needs it.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, words: bool = True) -> None:
        super().__init__(tokenizer, TOKENS, masked=words)

    def lessons(self, taught: Sequence[Lesson], rng: np.random.Generator) -> CaptionBatch:
        """A batch of captions; the decoder does not see the states of surplus words."""
        return self.batch(
            [_texts(each) for each in taught],
            rng,
            [each.surplus for each in taught],
            [_denials(each) for each in taught],
        )

    def beside_others(
        self, text: CaptionBatch, taught: Sequence[Lesson], rng: np.random.Generator, lexicon: Lexicon = PUBLIC
    ) -> tuple[Tensor, Tensor]:
        """Ids [B, N] of captions with other modifiers and negators, some of them articles; and where they differ.

        Words that are masked stay masked.
        """
        ids, changed = text.ids.clone(), torch.zeros(text.ids.shape, dtype=torch.bool)
        for row, each in enumerate(taught):
            for place, word in enumerate(each.caption.words):
                if word.role not in (*MODIFIERS, SceneRole.negator) or ids[row, place] == self.ids[MASK]:
                    continue
                if rng.random() < REPLACED:
                    ids[row, place], changed[row, place] = self.ids[_another(word, rng, lexicon)], True
        return ids, changed


def _texts(taught: Lesson) -> list[str]:
    return [word.text for word in taught.caption.words]


def _denials(taught: Lesson) -> list[tuple[int, int]]:
    """Places of each negator and of the word that it denies."""
    roles = [word.role for word in taught.caption.words]
    return [(at, at + 1) for at, both in enumerate(pairwise(roles)) if both == (SceneRole.negator, SceneRole.negated)]


class TextPretraining(nn.Module):
    """A text encoder, and a head to be thrown away that says what each word speaks of."""

    def __init__(self, model: MusicgenForConditionalGeneration) -> None:
        super().__init__()
        self.text_encoder = model.text_encoder
        text: Any = model.config.text_encoder
        self.spoken = nn.Linear(text.d_model, 2 * len(LABELS) + 1)
        self.said = nn.Linear(text.d_model, _VALUES * len(MODIFIERS))

    def loss(self, ids: Tensor, spoken: Tensor, said: Tensor) -> Tensor:
        """Mean cross-entropies of what the words of ids [B, N] speak of, and of what is said of it.

        `spoken` [B, N] as `spoken_of` has it, `said` [B, N, 3] as `said_of` has it.
        """
        states = self.text_encoder(input_ids=ids, attention_mask=(ids != 0).long()).last_hidden_state
        of_events = self.said(states).unflatten(-1, (len(MODIFIERS), _VALUES))
        return cross_entropy(
            self.spoken(states).flatten(0, 1), spoken.flatten(), ignore_index=_IGNORED
        ) + cross_entropy(of_events.flatten(0, 2), said.flatten(), ignore_index=_IGNORED)


def spoken_of(taught: Sequence[Lesson]) -> NDArray[np.int64]:
    """What each token [B, N] speaks of.

    A class, for class words, their modifiers and denied words; the denial of a class, for negators; nothing, for
    fillers. -100 behind the words.
    """
    found = np.full((len(taught), TOKENS), _IGNORED, dtype=np.int64)
    for row, each in enumerate(taught):
        for place, (word, label) in enumerate(zip(each.caption.words, each.labels, strict=True)):
            denial = len(LABELS) * (word.role == SceneRole.negator)
            found[row, place] = 2 * len(LABELS) if label is None else denial + _CLASSES[label]
    return found


def said_of(taught: Sequence[Lesson], lexicon: Lexicon = PUBLIC) -> NDArray[np.int64]:
    """What is said of the event of each token [B, N, 3]: its loudness, pitch and time.

    0 where it is not said, 1 and 2 for its values, as the lexicon has them; -100 for words that speak of no event.
    """
    values = [
        {word: number for number, group in enumerate(lexicon.modifiers(role).values(), 1) for word in group}
        for role in MODIFIERS
    ]
    found = np.full((len(taught), TOKENS, len(MODIFIERS)), _IGNORED, dtype=np.int64)
    for row, each in enumerate(taught):
        words = each.caption.words
        for place, word in enumerate(words):
            if word.event is None:
                continue
            found[row, place] = 0
            for other in words:
                if other.event == word.event and other.role in MODIFIERS:
                    number = MODIFIERS.index(other.role)
                    found[row, place, number] = values[number][other.text]
    return found


def _another(word: SceneWord, rng: np.random.Generator, lexicon: Lexicon) -> str:
    """A word of another value of the role; or an article, in a negator's place always."""
    groups = lexicon.modifiers(word.role).values() if word.role in MODIFIERS else ()
    others = [text for group in groups if word.text not in group for text in group]
    choices = others if others and rng.random() >= SILENCED else lexicon.articles
    return choices[int(rng.integers(len(choices)))]


def estranged(
    training: PromptTraining, text: CaptionBatch, others: Tensor, changed: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """States [B, N, D] of words, in most captions as they are beside others; and the difference that these make.

    `others` and `changed` as `beside_others` gives them. Words that are changed have their own states. The difference
    is squared, over the squared size of the states, of words that are not changed.
    """
    own, strange = training.states(torch.cat([text.ids, others]), text.attended.repeat(2, 1)).chunk(2)
    same = text.attended & ~changed
    size = (own[same].square().sum() + strange[same].square().sum()).detach() / 2
    rows = torch.from_numpy(rng.random((len(own), 1)) < ESTRANGED)
    return torch.where((rows & same)[..., None], strange, own), (own - strange)[same].square().sum() / size


def forgotten(rng: np.random.Generator, shape: tuple[int, int, int], blanks: float) -> Tensor:
    """Which codes [B, K, T] the decoder forgets: a random share of those of a few clips, a stretch or all of others."""
    each, steps = (shape[0], 1, 1), shape[2]
    kind, share = rng.random(each), rng.random(each)
    scattered = (kind < FORGETFUL) & (rng.random(shape) < share)
    # All, or a stretch that begins at the start or anywhere, and ends anywhere or with the clip.
    whole = rng.random(each) < 0.5
    start = np.where(whole | (rng.random(each) < 0.5), 0, rng.integers(0, steps, each))
    stop = np.where(whole | (rng.random(each) < 0.5), steps, rng.integers(1, steps + 1, each))
    now = np.arange(steps)
    blank = (kind >= 1 - blanks) & (now >= start) & (now < stop)
    return torch.from_numpy(scattered | blank)


def pretrain_text(
    model: MusicgenForConditionalGeneration,
    scenes: Sequence[MadeScene],
    seed: int,
    checkpoint: TrainingCheckpoint,
    lexicon: Lexicon = PUBLIC,
) -> float:
    """Teach the text encoder of a composed model, in place, what each word speaks of; the seconds it took."""
    masking, training = SceneMasking(scenes_tokenizer()), TextPretraining(model)

    def loss(step: int, rng: np.random.Generator) -> Tensor:
        chosen = rng.integers(0, len(scenes), TEXT_BATCH)
        taught = [lesson(scenes[i], rng, False, lexicon) for i in chosen]
        ids = masking.encode([_texts(each) for each in taught])
        targets = torch.from_numpy(spoken_of(taught)), torch.from_numpy(said_of(taught, lexicon))
        return training.loss(torch.from_numpy(ids), *targets)

    return fit(training, loss, TrainingPlan("text", TEXT_STEPS, TEXT_RATE, seed), checkpoint)


@dataclass(frozen=True)
class CodedScenes:
    """What the text-to-audio model is trained on."""

    scenes: Sequence[MadeScene]
    codes: Tensor
    """[n, K, F]."""


def train_scenes_prompt(
    model: MusicgenForConditionalGeneration,
    whole: CodedScenes,
    solos: CodedScenes,
    plan: TrainingPlan,
    checkpoint: TrainingCheckpoint,
    masked: bool = True,
    visit: Callable[[TrainingCheckpoint], None] | None = None,
    lexicon: Lexicon = PUBLIC,
) -> float:
    """Train a composed model in place on scenes, and on some of one event; the seconds it took.

    Unless `masked`, no word and no state is ever taken from a caption, or read as it is beside others, but for captions
    that are dropped as a whole.
    """
    training, masking = PromptTraining(model), SceneMasking(scenes_tokenizer(), words=masked)

    def loss(step: int, rng: np.random.Generator) -> Tensor:
        stage = int(step >= READING)
        alone = rng.random(BATCH) < SOLO_SHARES[stage]
        drawn = [(pool, int(rng.integers(len(pool.scenes)))) for pool in (solos if one else whole for one in alone)]
        more = rng.random(BATCH) < EMBELLISHED_SHARES[stage] * masked
        taught = [
            lesson(pool.scenes[i], rng, bool(says_more), lexicon)
            for (pool, i), says_more in zip(drawn, more, strict=True)
        ]
        text, own = masking.lessons(taught, rng), torch.stack([pool.codes[i] for pool, i in drawn])
        _, books, frames = own.shape
        gone = forgotten(rng, (BATCH, books, frames + books - 1), BLANK_SHARES[stage])
        if not (stage and masked):
            return training.loss(own, text, gone)
        states, difference = estranged(training, text, *masking.beside_others(text, taught, rng, lexicon), rng)
        return training.loss(own, text, gone, states) + ALIKE * difference

    seconds = fit(training, loss, plan, checkpoint, visit)
    model.train(False)
    return seconds


def scenes_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word of the world of scenes."""
    return build_tokenizer(PUBLIC.vocabulary())


def codec_of(folder: Path) -> SpectralCodec:
    """The codec of a text-to-audio model in a folder."""
    model = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    codec: Any = model.audio_encoder
    codec.train(False)
    return cast("SpectralCodec", codec)


def fit_prompt(
    train_clips: Clips[MadeScene],
    solos: Clips[MadeScene],
    codec: SpectralCodec,
    out: Path,
    work: Workshop,
    visit: Callable[[Any, TrainingCheckpoint], None] | None = None,
    lexicon: Lexicon = PUBLIC,
) -> dict[str, float]:
    """Train the text-to-audio model, masked as `work` has it, and write it into `out`/model; the seconds of both parts.

    A lexicon of other meanings makes another model of the same sounds.
    """
    torch.set_num_threads(1)
    torch.manual_seed(work.seed)
    model = compose(codec, len(scenes_tokenizer()))
    whole, alone = (CodedScenes(clips.scenes, encode_clips(codec, clips)) for clips in (train_clips, solos))
    text = TrainingCheckpoint(work.checkpoint("text"))
    text_seconds = pretrain_text(model, whole.scenes, work.seed, text, lexicon)
    plan = TrainingPlan("text-to-audio", STEPS, LEARNING_RATE, work.seed)
    checkpoint = TrainingCheckpoint(work.checkpoint("prompt"))
    look = None if visit is None else lambda reached: visit(model, reached)
    seconds = train_scenes_prompt(model, whole, alone, plan, checkpoint, work.masked, look, lexicon)
    save_model(model, out / "model", scenes_tokenizer())
    return {"text": text_seconds, "text_to_audio": seconds}
