"""The catalogue's rows of timm, torchvision and EfficientNet-PyTorch are what the installed packages say."""

import re

import pytest
import timm
import torchvision
from efficientnet_pytorch.utils import url_map, url_map_advprop
from torchvision.models import get_model_weights

from compoundnet.weights import Published, published_weights

# Of timm's pretrained names: B0 to B8, L2, Lite and EdgeTPU, not V2 and not those that the page says are left out.
OURS = re.compile(r"(tf_)?efficientnet_(b\d|l2|lite\d|es|em|el|es_pruned|el_pruned)\..*")
TIMM = published_weights(ecosystem="timm")


def test_timm_publishes_no_more_than_the_catalogue_has() -> None:
    names = {name for name in timm.list_pretrained("*efficientnet_*") if OURS.fullmatch(name)}
    assert {row.called for row in TIMM} == names


@pytest.mark.parametrize("row", TIMM, ids=lambda row: row.name)
def test_timms_rows_are_its_own(row: Published) -> None:
    config = timm.get_pretrained_cfg(row.called)
    assert config is not None
    assert row.hub == config.hf_hub_id == f"timm/{row.called}"
    theirs = config.url or f"hf://{config.hf_hub_id}/model.safetensors"
    assert isinstance(theirs, str)
    assert row.url == theirs.replace("/rwightman/", "/huggingface/")  # the project moved; some rows say where to
    assert (row.licence.lower(), row.classes) == (config.license, config.num_classes)
    size, crop = config.test_input_size or config.input_size, config.test_crop_pct or config.crop_pct
    ours = row.preprocess
    assert size == (3, row.resolution, row.resolution)
    assert ours.crop == pytest.approx(crop, abs=0.003)
    assert (ours.mean, ours.std, ours.interpolation) == (config.mean, config.std, config.interpolation)


def test_torchvisions_rows_are_its_own() -> None:
    rows = {row.called: row for row in published_weights(ecosystem="torchvision")}
    found = [weights for i in range(8) for weights in get_model_weights(f"efficientnet_b{i}")]
    assert set(rows) == {str(weights) for weights in found}
    for weights in found:
        row, meta = rows[str(weights)], weights.meta
        printed = meta["_metrics"]["ImageNet-1K"]
        assert row.url == weights.url
        assert (row.top1, row.top5, row.params) == (printed["acc@1"], printed["acc@5"], meta["num_params"])
        assert row.printed_flops == (round(1e9 * meta["_ops"]),)
        assert row.bytes == round(2**20 * meta["_file_size"])
        assert [row.resolution] == weights.transforms().crop_size
    assert torchvision.__version__.split("+")[0] >= "0.24"


def test_efficientnet_pytorchs_rows_are_its_own() -> None:
    for method, urls in (("autoaugment", url_map), ("advprop", url_map_advprop)):
        rows = published_weights(ecosystem="lukemelas", method=method)
        assert {row.called: row.url for row in rows} == urls
