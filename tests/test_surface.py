"""The public surface: frozen, documented, typed."""

import inspect
from importlib import metadata, resources

import compoundnet

VALUES = ["CONVENTION", "COMPOUND", "MEMBERS", "RULES"]
PUBLIC = [
    *VALUES,
    *["Basic", "Bottleneck", "ConvBlock", "FusedMBConv", "MBConv", "Operator", "SeparableConv", "Site"],
    *["Head", "Network", "Stage", "Stem", "Cost", "Rounding", "Scaling"],
    *["Preprocess", "Pretrained", "Weights", "Measurement", "Prepared", "Setting"],
    *["build", "by_layer", "by_stage", "cost", "load", "measure", "member", "named", "prepare"],
    *["predict", "predictions"],
    *["Budget", "Ranges", "Rule", "largest_phi", "solve"],
    *["explain", "front", "predicted", "surface", "thinned"],
    *["Law", "Point", "accuracy_law"],
    *["Choices", "Elastic", "Nearest", "solve_stages", "stage_choices"],
    *["Device", "Roofline", "latency", "load_device"],
    *["class_activation_map", "reset_classifier"],
    *["save", "scale", "unfold"],
]


def test_the_public_names_are_these() -> None:
    modules = {name for name, value in vars(compoundnet).items() if inspect.ismodule(value)}
    names = {name for name in dir(compoundnet) if not name.startswith("_")} - modules - {"TYPE_CHECKING", "Any"}
    assert names == set(PUBLIC)


def test_every_public_function_and_class_says_what_it_does() -> None:
    for name in PUBLIC:
        value = getattr(compoundnet, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name
            assert not (inspect.getdoc(value) or "").startswith(f"{name}("), name


def test_lazy_names_are_functions_also_after_their_modules_were_imported() -> None:
    import compoundnet.building
    import compoundnet.weights

    assert inspect.isfunction(compoundnet.build)
    assert inspect.isfunction(compoundnet.load)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(compoundnet, "efficientnet")


def test_the_package_says_that_it_is_typed() -> None:
    assert resources.files("compoundnet").joinpath("py.typed").is_file()


def test_the_version_is_the_installed_one() -> None:
    assert metadata.version("compoundnet") == compoundnet.__version__
