"""Writes ONNX models with inputs and onnxruntime's answers into a folder, for the test `sklearn`.

Usage: python export_models.py FOLDER
Needs numpy, scikit-learn, skl2onnx, onnx, onnxruntime, xgboost, lightgbm, onnxmltools.
"""

import lightgbm
import numpy as np
import xgboost
from cases import NUMBERS, data, write
from onnx import TensorProto, helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import (
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier


def sklearn_models(cases):
    x, y, target = data()
    x3, y3, _ = data(classes=3)
    names = np.array(["no", "yes"])[y]
    xm, ym, tm = data(missing=True)
    plain = {"zipmap": False}

    def classifier(name, model, features, labels, zipmap=False, **options):
        model.fit(features, labels)
        settings = options if zipmap else {**plain, **options}
        exported = to_onnx(model, features[:1], options={id(model): settings} if settings else None)
        classes = np.unique(labels).tolist()
        task = "binary" if len(classes) == 2 else "multiclass"
        cases.add(name, exported, {"X": features[:60]}, classes, task)

    def regressor(name, model, features, labels):
        model.fit(features, labels)
        task = "regression" if labels.ndim == 1 else None
        cases.add(name, to_onnx(model, features[:1]), {"X": features[:60]}, None, task)

    classifier("forest_binary", RandomForestClassifier(20, random_state=1), x, y)
    classifier("forest_zipmap", RandomForestClassifier(20, random_state=1), x, y, zipmap=True)
    classifier("forest_texts", RandomForestClassifier(20, random_state=1), x, names, zipmap=True)
    classifier("forest_multiclass", RandomForestClassifier(20, random_state=1), x3, y3)
    classifier("forest_missing", RandomForestClassifier(20, random_state=1), xm, ym)
    classifier("extra_trees", ExtraTreesClassifier(15, max_depth=5, random_state=1), x3, y3)
    classifier("tree", DecisionTreeClassifier(max_depth=4), x, y)
    classifier("boosting_binary", GradientBoostingClassifier(n_estimators=20), x, y)
    classifier("boosting_multiclass", GradientBoostingClassifier(n_estimators=10), x3, y3)
    classifier("histogram_binary", HistGradientBoostingClassifier(max_iter=20), xm, ym)
    classifier("histogram_multiclass", HistGradientBoostingClassifier(max_iter=10), x3, y3)
    classifier("logistic", LogisticRegression(), x, y)
    classifier("logistic_zipmap", LogisticRegression(), x, names, zipmap=True)
    classifier("logistic_multiclass", LogisticRegression(), x3, y3)
    classifier("network", MLPClassifier((16, 8), max_iter=200), x, y)
    classifier("network_multiclass", MLPClassifier((16,), max_iter=200), x3, np.array(["a", "b", "c"])[y3])
    classifier("calibrated", CalibratedClassifierCV(LogisticRegression(), cv=2), x, y)
    voters = [("a", LogisticRegression()), ("b", RandomForestClassifier(5, random_state=1))]
    classifier("voting", VotingClassifier(voters, voting="soft", flatten_transform=False), x, y)
    classifier("scaled_logistic", make_pipeline(StandardScaler(), LogisticRegression()), x, y)
    classifier("normalized", make_pipeline(Normalizer(), LogisticRegression()), x, y)
    classifier("ranged_network", make_pipeline(MinMaxScaler(), MLPClassifier((8,), max_iter=200)), x, y)
    imputed = make_pipeline(SimpleImputer(strategy="median"), RobustScaler(), LogisticRegression())
    classifier("imputed", imputed, xm, ym)
    regressor("forest_regressor", RandomForestRegressor(20, random_state=1), x, target)
    regressor("boosting_regressor", GradientBoostingRegressor(n_estimators=20), x, target)
    regressor("histogram_regressor", HistGradientBoostingRegressor(max_iter=20), xm, tm)
    regressor("linear", LinearRegression(), x, target)
    regressor("ridge_two_targets", Ridge(), x, np.stack([target, -target], axis=1))
    regressor("network_regressor", MLPRegressor(hidden_layer_sizes=(16,), max_iter=300), x, target)
    regressor("neighbours", KNeighborsRegressor(3), x, target)

    means = KMeans(4, random_state=1, n_init=2).fit(x)
    cases.add("clusters", to_onnx(means, x[:1]), {"X": x[:60]})


def columns_models(cases):
    rows = 400
    city = NUMBERS.choice(["Quito", "Guayaquil", "Cuenca"], rows)
    plan = NUMBERS.choice(["basic", "plus"], rows)
    age = NUMBERS.normal(40, 12, rows).astype(np.float32)
    debt = NUMBERS.gamma(2, 300, rows).astype(np.float32)
    months = NUMBERS.integers(0, 60, rows)
    y = ((age > 40) ^ (city == "Quito") ^ (NUMBERS.random(rows) < 0.1)).astype(np.int64)
    frame = np.empty((rows, 5), dtype=object)
    for at, column in enumerate([city, plan, age, debt, months]):
        frame[:, at] = column
    kinds = [
        ("city", StringTensorType([None, 1])),
        ("plan", StringTensorType([None, 1])),
        ("age", FloatTensorType([None, 1])),
        ("debt", FloatTensorType([None, 1])),
        ("months", Int64TensorType([None, 1])),
    ]
    odd = city.copy()
    odd[3] = "Loja"
    inputs = {
        "city": odd[:60, None].astype(object),
        "plan": plan[:60, None].astype(object),
        "age": age[:60, None],
        "debt": debt[:60, None],
        "months": months[:60, None].astype(np.int64),
    }

    def encoder(categories):
        numbers = ("numbers", StandardScaler(), [2, 3, 4])
        return ColumnTransformer([("texts", categories, [0, 1]), numbers])

    hot = OneHotEncoder(handle_unknown="ignore")
    learners = {
        "columns_logistic": LogisticRegression(),
        "columns_forest": RandomForestClassifier(10, random_state=1),
        "columns_boosting": GradientBoostingClassifier(n_estimators=10),
        "columns_network": MLPClassifier((8,), max_iter=200),
    }
    for name, learner in learners.items():
        model = make_pipeline(encoder(hot), learner).fit(frame, y)
        exported = to_onnx(model, initial_types=kinds, options={"zipmap": False})
        cases.add(name, exported, inputs, [0, 1], "binary")
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    model = make_pipeline(encoder(ordinal), HistGradientBoostingClassifier(max_iter=10)).fit(frame, y)
    cases.add("columns_ordinal", to_onnx(model, initial_types=kinds), inputs, [0, 1], "binary")


def boosters(cases):
    for classes in (2, 3):
        x, y, target = data(classes=classes, missing=True)
        kinds = [("X", ToolsFloat([None, x.shape[1]]))]
        labels = list(range(classes))
        task = "binary" if classes == 2 else "multiclass"
        model = xgboost.XGBClassifier(n_estimators=15, max_depth=4).fit(x, y)
        exported = convert_xgboost(model, initial_types=kinds)
        cases.add(f"xgboost_{classes}", exported, {"X": x[:60]}, labels, task)
        model = lightgbm.LGBMClassifier(n_estimators=15, verbose=-1).fit(x, y)
        for zipmap in (False, True):
            exported = convert_lightgbm(model, initial_types=kinds, zipmap=zipmap)
            cases.add(f"lightgbm_{classes}_{zipmap}", exported, {"X": x[:60]}, labels, task)
        if classes == 2:
            model = xgboost.XGBRegressor(n_estimators=15, max_depth=4).fit(x, target)
            exported = convert_xgboost(model, initial_types=kinds)
            cases.add("xgboost_regressor", exported, {"X": x[:60]}, None, "regression")
            model = lightgbm.LGBMRegressor(n_estimators=15, verbose=-1).fit(x, target)
            exported = convert_lightgbm(model, initial_types=kinds)
            cases.add("lightgbm_regressor", exported, {"X": x[:60]}, None, "regression")


def random_trees(trees, modes, classes, both):
    """Random node tables with weights for the given class ids."""
    nodes = {key: [] for key in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids",
                                 "falsenodeids", "missing_value_tracks_true")}
    weights = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}

    def grow(tree, depth):
        node = sum(1 for t in nodes["treeids"] if t == tree)
        at = len(nodes["treeids"])
        leaf = depth == 0 or (depth < 3 and NUMBERS.random() < 0.3)
        row = (tree, node, int(NUMBERS.integers(4)), float(np.float32(NUMBERS.integers(-3, 4) / 2)),
               "LEAF" if leaf else str(NUMBERS.choice(modes)), 0, 0, int(NUMBERS.integers(2)))
        for key, value in zip(nodes, row):
            nodes[key].append(value)
        if leaf:
            ids = classes if both else [int(NUMBERS.choice(classes))]
            for target in ids:
                weights["treeids"].append(tree)
                weights["nodeids"].append(node)
                weights["ids"].append(target)
                weights["weights"].append(float(np.float32(NUMBERS.normal() * 0.4)))
        else:
            nodes["truenodeids"][at] = grow(tree, depth - 1)
            nodes["falsenodeids"][at] = grow(tree, depth - 1)
        return node

    for tree in range(trees):
        grow(tree, 4)
    return nodes, weights


def hand_made(cases):
    """Every convention of the tree operators, as onnxruntime has them."""
    modes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
    x = (NUMBERS.integers(-4, 5, size=(80, 4)) / 2).astype(np.float32)
    x[NUMBERS.random(x.shape) < 0.1] = np.nan
    inputs = {"X": x}
    features = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 4])

    def add(name, node, outputs, classes=None, task=None):
        graph = helper.make_graph([node], "g", [features], outputs)
        opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        try:
            cases.add(name, model, inputs, classes, task)
        except Exception as error:  # onnxruntime refuses some combinations itself
            print("left out", name, str(error)[:90])

    label = helper.make_tensor_value_info("label", TensorProto.INT64, None)
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)
    transforms = ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"]
    for transform in transforms:
        for sign in ("mixed", "positive"):
            for ids in ([0], [1], [0, 1], [0, 1, 2]):
                for both in (True, False):
                    for bases in (0, 1, 2):
                        count = max(2, len(ids))
                        if len(ids) == 1 and not both or bases == 1 and count > 2:
                            continue
                        # onnxruntime leaves the second score unset here.
                        single = len(ids) == 1 or not both
                        if count == 2 and single and (transform == "PROBIT" or bases == 1 and len(ids) == 2):
                            continue
                        nodes, weights = random_trees(5, modes, ids, both)
                        if sign == "positive":
                            weights["weights"] = [abs(w) / 4 for w in weights["weights"]]
                        base = [0.25, -0.125, 0.0625][: (bases if bases < 2 else count)]
                        attributes = {f"nodes_{k}": v for k, v in nodes.items()}
                        attributes |= {f"class_{k}": v for k, v in weights.items()}
                        if base:
                            attributes["base_values"] = base
                        node = helper.make_node(
                            "TreeEnsembleClassifier", ["X"], ["label", "scores"], domain="ai.onnx.ml",
                            classlabels_int64s=list(range(count)), post_transform=transform, **attributes)
                        joined = "".join(map(str, ids))
                        name = f"trees_{transform}_{sign}_{joined}_{both}_{bases}"
                        task = "binary" if count == 2 else "multiclass"
                        add(name, node, [label, scores], list(range(count)), task)
    for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
        for transform in transforms:
            for targets in (1, 2):
                for mode in [*modes, None]:
                    chosen = [mode] if mode else modes
                    nodes, weights = random_trees(5, chosen, list(range(targets)), True)
                    attributes = {f"nodes_{k}": v for k, v in nodes.items()}
                    attributes |= {f"target_{k}": v for k, v in weights.items()}
                    if mode is None:
                        attributes["base_values"] = [0.5, -0.5][:targets]
                    node = helper.make_node(
                        "TreeEnsembleRegressor", ["X"], ["scores"], domain="ai.onnx.ml", n_targets=targets,
                        aggregate_function=aggregate, post_transform=transform, **attributes)
                    add(f"values_{aggregate}_{transform}_{targets}_{mode}", node, [scores])
    double_trees(cases)
    for transform in transforms:
        for count in (1, 2, 3):
            if (transform, count) == ("PROBIT", 1):
                continue
            weights = NUMBERS.normal(size=(count, 4)).astype(np.float32).reshape(-1).tolist()
            node = helper.make_node(
                "LinearClassifier", ["X"], ["label", "scores"], domain="ai.onnx.ml", coefficients=weights,
                intercepts=[0.1, -0.2, 0.3][:count], classlabels_ints=list(range(max(count, 2))),
                post_transform=transform)
            add(f"linear_{transform}_{count}", node, [label, scores], list(range(max(count, 2))))


def double_trees(cases):
    """Thresholds of double precision, and inputs that single precision cannot tell from them."""
    for mode in ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_EQ"):
        nodes, weights = random_trees(5, [mode], [0], True)
        values = np.array(nodes.pop("values")) + 1e-12
        tensors = {"nodes_values": values, "target_weights": np.array(weights.pop("weights"))}
        attributes = {f"nodes_{k}": v for k, v in nodes.items()}
        attributes |= {f"target_{k}": v for k, v in weights.items()}
        for key, numbers in tensors.items():
            stored = helper.make_tensor(key, TensorProto.DOUBLE, [len(numbers)], numbers)
            attributes[f"{key}_as_tensor"] = stored
        node = helper.make_node(
            "TreeEnsembleRegressor", ["X"], ["scores"], domain="ai.onnx.ml", n_targets=1, **attributes)
        x = NUMBERS.integers(-4, 5, size=(60, 4)) / 2 + NUMBERS.choice([0, 1e-12, 2e-12], size=(60, 4))
        features = helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, 4])
        scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)
        graph = helper.make_graph([node], "g", [features], [scores])
        opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        cases.add(f"double_{mode}", model, {"X": x}, None, "regression")


def networks(cases):
    """A plain network by arithmetic, for any number of rows and for one only."""
    x = NUMBERS.normal(size=(9, 6)).astype(np.float32)
    first = helper.make_tensor("w1", TensorProto.FLOAT, [6, 5], NUMBERS.normal(size=30).astype(np.float32))
    second = helper.make_tensor("w2", TensorProto.FLOAT, [5, 3], NUMBERS.normal(size=15).astype(np.float32))
    bias = helper.make_tensor("b", TensorProto.FLOAT, [5], NUMBERS.normal(size=5).astype(np.float32))
    nodes = [
        helper.make_node("Gemm", ["X", "w1", "b"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "w2"], ["z"]),
        helper.make_node("Softmax", ["z"], ["p"], axis=1),
    ]
    features = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["batch", 6])
    output = helper.make_tensor_value_info("p", TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph(nodes, "g", [features], [output], [first, second, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    cases.add("softmax_network", model, {"X": x}, None, "multiclass")


write(sklearn_models, columns_models, boosters, hand_made, networks)
