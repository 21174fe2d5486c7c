"""Stage 5, distillation: a vision encoder learns from images alone, without text.

A student sees two views of each image with hidden patches. It predicts the outputs of its teacher,
a running mean of the student, for the full views: for the image from the other view, and for every
hidden patch. Teacher outputs are centred and sharpened to prevent collapse.

Sources: Caron et al. 2021 (DINO); Zhou et al. 2022 (iBOT) for the patches. Oquab et al. 2024
(DINOv2) combine the two. Simplified here: no local crops, constant momentum and temperatures.

    python -m eyechart.tiny_models.train_dino --receipt data/raw/clevr_pretrain/acquired.json
        --recipe JSON --seed 7 --device auto --output results/training/distillation/model/ready.json
        --curve results/training/distillation/curve.parquet
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from transformers import Dinov2Model

from eyechart.core.step import command
from eyechart.data.layouts.clevr.tasks import IMAGE_TASKS, image_labels
from eyechart.tiny_models.architectures import build_dino, build_image_processor
from eyechart.tiny_models.images import TrainingImages, load_images, normalise
from eyechart.tiny_models.views import draw_mask, draw_views
from eyechart.training import loop, step_helpers

STAGE = "distillation"
STEP = "eyechart.tiny_models.train_dino"
EVALUATED = [task for task in IMAGE_TASKS if not task.startswith("has_")]


class PrototypeHead(torch.nn.Module):
    """A head that computes the cosine similarity of tokens to each prototype, shape (…, k)."""

    def __init__(self, width: int, settings: dict[str, Any]):
        super().__init__()
        hidden, narrow = settings["head_hidden"], settings["head_narrow"]
        self.project = torch.nn.Sequential(
            torch.nn.Linear(width, hidden), torch.nn.GELU(), torch.nn.Linear(hidden, narrow)
        )
        self.prototypes = torch.nn.Parameter(torch.randn(settings["prototypes"], narrow))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return cosines (…, k) for tokens (…, d)."""
        unit = torch.nn.functional.normalize
        return unit(self.project(tokens), dim=-1) @ unit(self.prototypes, dim=-1).T


class EncoderWithHeads(torch.nn.Module):
    """A vision encoder with a head for its class token and one for its patches."""

    def __init__(self, encoder: Dinov2Model, settings: dict[str, Any]):
        super().__init__()
        self.encoder = encoder
        self.whole = PrototypeHead(encoder.config.hidden_size, settings)
        self.patch = PrototypeHead(encoder.config.hidden_size, settings)

    def tokens(self, views: torch.Tensor, hidden: torch.Tensor | None = None) -> torch.Tensor:
        """Return the tokens of views (b, 3, h, w), class token first: (b, 1 + p, d)."""
        return self.encoder(pixel_values=views, bool_masked_pos=hidden).last_hidden_state


class StudentTeacher(torch.nn.Module):
    """A student, its teacher, and the centres of the teacher's outputs for images and patches."""

    def __init__(self, encoder: Dinov2Model, settings: dict[str, Any]):
        super().__init__()
        self.settings = settings
        self.student = EncoderWithHeads(encoder, settings)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        # parameters without gradients, so that a checkpoint includes them
        centres = torch.zeros(2, settings["prototypes"])
        self.centres = torch.nn.Parameter(centres, requires_grad=False)

    @torch.no_grad()
    def update_teacher(self) -> None:
        """Move the teacher towards the student: it is the student's running mean."""
        share = 1 - self.settings["teacher_momentum"]
        both = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
        for kept, new in both:
            kept.lerp_(new, share)

    @torch.no_grad()
    def teacher_targets(
        self, views: torch.Tensor, hidden: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the teacher's distributions for full views (b, k) and hidden patches (h, k)."""
        tokens = self.teacher.tokens(views)
        logits_of = self.teacher.whole(tokens[:, 0]), self.teacher.patch(tokens[:, 1:][hidden])
        sharp = self.settings["teacher_temperature"]
        whole, patch = (
            ((logits - centre) / sharp).softmax(-1)
            for logits, centre in zip(logits_of, self.centres, strict=True)
        )
        for centre, logits in zip(self.centres, logits_of, strict=True):
            centre.lerp_(logits.mean(0), 1 - self.settings["centre_momentum"])
        return whole, patch

    def forward(self, views: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Return the loss of views (2b, 3, h, w); the two halves are views of the same images."""
        whole, patch = self.teacher_targets(views, hidden)
        tokens = self.student.tokens(views, hidden)
        other = whole.roll(len(whole) // 2, dims=0)
        loss = self._cross_entropy(other, self.student.whole(tokens[:, 0])).mean()
        missed = self._cross_entropy(patch, self.student.patch(tokens[:, 1:][hidden]))
        weight = (1 / hidden.sum(1, keepdim=True)).expand(hidden.shape)[hidden]
        return loss + (missed * weight).sum() / len(views)

    def _cross_entropy(self, target: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Return the cross-entropy of each row of (…, k)."""
        log_probabilities = (logits / self.settings["student_temperature"]).log_softmax(-1)
        return -(target * log_probabilities).sum(-1)


def make_loss(
    pair: StudentTeacher, images: TrainingImages, recipe: dict[str, Any], device: torch.device
) -> Callable[[torch.Generator], torch.Tensor]:
    """Return a function that updates the teacher, then computes the loss of a random batch."""
    settings, sizes = recipe[STAGE], recipe["architecture"]
    patches = (sizes["image_px"] // sizes["patch_px"]) ** 2

    def loss(generator: torch.Generator) -> torch.Tensor:
        pair.update_teacher()
        picks = torch.randperm(len(images.pixels), generator=generator)[: settings["batch"]]
        pixels = images.pixels[picks]
        views = torch.cat([draw_views(pixels, settings, generator) for _ in range(2)])
        hidden = draw_mask(len(views), patches, settings, generator)
        return pair(views.to(device), hidden.to(device))

    return loss


@torch.inference_mode()
def features(encoder: Dinov2Model, pixels: torch.Tensor, batch: int = 200) -> torch.Tensor:
    """Return normalised class tokens (n, d) of uint8 images (n, 3, h, w)."""
    found = [
        encoder(pixel_values=normalise(part).to(encoder.device)).last_hidden_state[:, 0].cpu()
        for part in pixels.split(batch)
    ]
    return torch.nn.functional.normalize(torch.cat(found), dim=-1)


def neighbour_accuracies(
    encoder: Dinov2Model, known: TrainingImages, held_out: TrainingImages, settings: dict[str, Any]
) -> dict[str, float]:
    """Return the k-NN accuracy on held-out images, per image task.

    The ``neighbours`` nearest of ``known`` training images vote; images without a majority label
    form their own class.
    """
    bank = features(encoder, known.pixels[: settings["known"]])
    near = (
        (features(encoder, held_out.pixels) @ bank.T).topk(settings["neighbours"]).indices
    )  # (n, k)
    labels = [image_labels(scene) for scene in known.scenes[: settings["known"]]]
    truth = [image_labels(scene) for scene in held_out.scenes]
    found = {}
    for task in EVALUATED:
        names = sorted({str(label[task]) for label in [*labels, *truth]})
        numbers = torch.tensor([names.index(str(label[task])) for label in labels])
        votes = torch.nn.functional.one_hot(numbers[near], len(names)).sum(1)  # (n, k)
        right = torch.tensor([names.index(str(label[task])) for label in truth])
        found[f"nearest_neighbours/{task}"] = float((votes.argmax(1) == right).float().mean())
    return found


@command
def main(args: step_helpers.Training) -> None:
    """Train the encoder from scratch and keep the teacher, as DINO does."""
    recipe, settings, root = args.recipe, args.recipe[STAGE], args.receipt.parent
    step_helpers.make_deterministic(settings["threads"])
    train = load_images(root, "train", recipe["images"])
    held_out = load_images(root, "val", recipe["held_out"])
    pair = (
        StudentTeacher(build_dino(recipe["architecture"], args.seed), settings)
        .to(args.place)
        .train()
    )
    curve = loop.fit(
        dict(pair.named_parameters()),
        make_loss(pair, train, recipe, args.place),
        lambda: neighbour_accuracies(pair.teacher.encoder, train, held_out, settings),
        settings,
        step_helpers.identity(args, STAGE, STEP),
        step_helpers.checkpoint_path(args),
    )
    encoder = pair.teacher.encoder.requires_grad_(True).eval()
    processor = build_image_processor(recipe["architecture"]["image_px"])
    step_helpers.finish(args, STAGE, curve, [(encoder, {}), (processor, {})])


if __name__ == "__main__":
    main()
