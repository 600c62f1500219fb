"""Batches that are more than x: labels, seen or withheld, and places; what goes with them through head and to."""

from dataclasses import replace

import pytest
import torch

from vaecourse import data
from vaecourse.data.registry import registry


def generator(seed=3):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def train():
    return data.load("digits", "train", "dynamic")


def test_a_plain_batch_is_a_tensor(train):
    assert type(train.batch(slice(3))) is type(train.realise()) is torch.Tensor


@pytest.mark.parametrize("index", [None, slice(2, 7), torch.tensor([5, 0, 1196, 5])])
def test_every_kind_of_batch_holds_the_same_x(train, index):
    """Labels and places change neither the noise nor the generator that it comes from."""
    x = train.batch(index, generator())
    for other in (train.with_labels(), train.with_index(), train.with_labels(7).with_index()):
        batch = other.batch(index, generator())
        assert isinstance(batch, tuple) and batch._fields[0] == "x"
        assert torch.equal(batch.x, x) and batch.x.dtype == torch.float32
        assert torch.equal(other.realise(seed=4).x, train.realise(seed=4))


def test_the_parts_of_a_batch_are_those_that_were_asked_for(train):
    assert train.with_labels().batch()._fields == train.with_labels().realise()._fields == ("x", "y")
    assert train.with_index().batch()._fields == train.with_index().realise()._fields == ("x", "index")
    for both in (train.with_labels().with_index(), train.with_index().with_labels()):
        assert both.batch()._fields == both.realise()._fields == ("x", "y", "index")
    assert isinstance(train.with_labels().batch(), data.Batch)


def test_labels_are_one_hot(train):
    index = torch.tensor([9, 4, 700])
    _, y = train.with_labels().batch(index)
    assert y.dtype == torch.float32 and y.shape == (3, 10)
    assert torch.equal(y, torch.eye(10)[train.y[index]])
    assert torch.equal(train.with_labels().realise().y, torch.eye(10)[train.y])


def test_withheld_labels_are_rows_of_zeros(train):
    y = train.with_labels(100).realise().y
    assert torch.equal(y[:100], torch.eye(10)[train.y[:100]]) and not y[100:].any()
    assert (y.sum(0) - 10).abs().max() <= 2  # the first n of a split are stratified
    mask = torch.arange(len(train)) % 3 == 1
    y = train.with_labels(mask).batch(torch.tensor([0, 1, 2, 4])).y
    assert torch.equal(y, torch.eye(10)[train.y[[0, 1, 2, 4]]] * torch.tensor([[0.0], [1.0], [0.0], [1.0]]))
    assert not train.with_labels(0).realise().y.any()
    later = mask.clone()
    part = train.with_labels(later)
    later.fill_(True)  # whoever writes into the mask afterwards does not show more labels
    assert torch.equal(part.observed, mask)


def test_an_index_is_the_place_in_the_data_set(train):
    part = train.with_index()
    assert part.batch(slice(5, 9)).index.tolist() == [5, 6, 7, 8]
    index = torch.tensor([8, 3, 8])
    assert torch.equal(part.batch(index).index, index) and part.batch(index).index.dtype == torch.int64
    assert torch.equal(part.realise().index, torch.arange(len(train)))


def test_head_and_to_keep_what_goes_with_x(train):
    part = train.with_labels(100).with_index().head(150)
    assert len(part) == 150 and part.realise().index.tolist() == list(range(150))
    assert part.realise().y.sum() == 100 and part.head(40).realise().y.sum() == 40
    assert part.realise().y.shape == (150, 10) and "100 of 150 labels" in part.label
    assert torch.equal(part.to("cpu").batch().y, part.batch().y) and part.to("cpu").indexed
    assert part.to("meta").observed.device == part.to("meta").batch(slice(2)).index.device == torch.device("meta")
    # The number of classes is that of the set, however few of them are left; so too for your own data.
    assert train.head(3).with_labels().batch().y.shape == (3, 10)
    own = data.Dataset(train.x, train.y, "made", "train", "dynamic", (8, 8), 16)
    assert own.head(3).with_labels().batch().y.shape == (3, 10)


def test_the_label_says_how_many_labels_are_seen(train):
    assert train.with_labels(100).label == "digits, dynamic binarisation, train, 100 of 1,197 labels"
    assert train.with_labels().label == "digits, dynamic binarisation, train, all labels"
    assert train.with_index().label == train.label == "digits, dynamic binarisation, train"
    assert "100 of 1,197 labels; 1,197 images 8x8" in repr(train.with_labels(100))


def test_the_fingerprint_is_that_of_what_is_seen(train):
    unlike = [train, train.with_index(), train.with_labels(), train.with_labels(100), train.with_labels(101)]
    unlike.append(train.with_labels().with_index())
    assert len({part.fingerprint for part in unlike}) == len(unlike)
    changed = train.y.clone()
    changed[100] = (changed[100] + 1) % 10
    other = replace(train, y=changed)
    assert other.fingerprint == train.fingerprint and other.with_labels(100).fingerprint == unlike[3].fingerprint
    assert other.with_labels(101).fingerprint != unlike[4].fingerprint
    assert train.with_labels(100).fingerprint == train.with_labels(torch.arange(1197) < 100).fingerprint


def test_the_fingerprint_of_plain_data_never_changes(train):
    """Checkpoints name it: a training goes on only with the data that it began with."""
    assert train.fingerprint.startswith("a37b96e6")
    assert data.load("digits", "train").fingerprint.startswith("a8a2e8a3")


@pytest.mark.parametrize("observed", [-1, 1198, 2.0, True, torch.ones(1197), torch.ones(3, dtype=torch.bool), "all"])
def test_what_is_seen_must_be_a_number_or_a_mask(train, observed):
    with pytest.raises(ValueError, match=r"^observed must be .* got .*$"):
        train.with_labels(observed)


def test_the_number_of_classes_is_the_registrys(monkeypatch):
    """A split may lack a class, and labels that nobody gave are none: those of the Frey faces are all 0."""
    for classes, size in ((10, 10), (12, 12)):
        monkeypatch.setitem(registry(), "digits", replace(registry()["digits"], classes=classes))
        assert data.load("digits", "test").with_labels().batch(slice(2)).y.shape == (2, size)
    monkeypatch.setitem(registry(), "digits", replace(registry()["digits"], classes=0))
    with pytest.raises(ValueError, match="with_labels needs labels, and digits has none"):
        data.load("digits").with_labels()
    assert [name for name, entry in registry().items() if entry.classes == 0] == ["digits", "freyfaces"]


def test_labels_that_there_are_not():
    x = torch.zeros(4, 2, dtype=torch.uint8)
    with pytest.raises(ValueError, match="with_labels needs labels, and own has none"):
        data.from_tensors(x, protocol="integer", levels=1).with_labels()
    made = data.Dataset(x, torch.tensor([0, 1, 2, 3]), "made", "train", "integer", (2,), 1, num_classes=3)
    with pytest.raises(ValueError, match=r"y must hold labels 0\.\.2; got 0\.\.3"):
        made.with_labels()


def test_every_visit_is_a_fresh_realisation(train):
    """Of one generator, as a training holds it: no epoch sees the binarisation of another, nor one batch another's."""
    for protocol in ("dynamic", "dequantised"):
        part = replace(train, protocol=protocol)
        source, index = generator(), torch.arange(100)
        epochs = torch.stack([part.batch(index, source) for _ in range(4)])  # [4, 100, 64]
        inside = (train.x[:100] > 0) & (train.x[:100] < 16) if protocol == "dynamic" else train.x[:100] >= 0
        for first in range(4):
            for second in range(first):
                differ = (epochs[first] != epochs[second])[:, inside.any(0)].any(-1)
                assert differ.all(), "a datum looks the same at two visits"
        # The same value of ink at two places is two coins, not one: rows of a batch share no noise.
        same = replace(part, x=torch.full_like(train.x, 8))
        batch = same.batch(index, source)
        assert len(batch.unique(dim=0)) == 100
