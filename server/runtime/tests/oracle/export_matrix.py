"""Writes the models of the matrix: what scikit-learn, XGBoost and LightGBM export, and networks in the form that
PyTorch gives them, each on rows it has not seen, rows with values missing, and extreme rows.

Usage: python export_matrix.py FOLDER
Needs numpy, scikit-learn, skl2onnx, onnx, onnxruntime, xgboost, lightgbm, onnxmltools.
"""

import lightgbm
import numpy as np
import xgboost
from cases import NUMBERS, data, extremes, without_some, write
from networks import networks
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn import (
    calibration,
    cluster,
    compose,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    impute,
    linear_model,
    mixture,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)
from sklearn.base import is_classifier
from sklearn.pipeline import make_pipeline

TREES = [np.inf, -np.inf, 3.4e38, -3.4e38, 0.0, -0.0, 1e-45, 1e6]
SMOOTH = [1e3, -1e3, 0.0, -0.0, 1e-45, 1e-20, 25.0]
# Beyond these, onnxruntime's sums of powers of products in single precision are noise.
VECTORS = [4.0, -4.0, 0.0, -0.0, 1e-45, 1e-20]
LogisticRegression = linear_model.LogisticRegression


def tables(x, missing, values):
    """Three tables of the names that the test knows."""
    of = {"random": x[:40], "extreme": extremes(x[40:80], values)}
    if missing:
        of["missing"] = without_some(x[80:120])
    return of


def add(cases, name, model, x, y, missing=True, values=SMOOTH, task=None, **options):
    """Fits on most rows, exports, and asks about the others."""
    model.fit(x[150:], y[150:])
    classes = None
    if is_classifier(model):
        classes = np.unique(y).tolist()
        task = "binary" if len(classes) == 2 else "multiclass"
        if hasattr(model, "predict_proba"):
            options["options"] = {id(model): {"zipmap": False}}
    elif task is None and y.ndim == 1 and hasattr(model, "predict"):
        task = "regression"
    if task == "none":
        task = None
    exported = to_onnx(model, x[:1], **options)
    of = tables(x, missing, values)
    cases.add_tables(name, exported, {kind: {"X": rows} for kind, rows in of.items()}, classes, task)


def trees(cases):
    for classes in (2, 3):
        x, y, target = data(missing=True, classes=classes)
        forests = {
            "decision_tree": tree.DecisionTreeClassifier(max_depth=6, random_state=1),
            "random_forest": ensemble.RandomForestClassifier(15, random_state=1),
            "extra_trees": ensemble.ExtraTreesClassifier(15, random_state=1),
            "histogram_boosting": ensemble.HistGradientBoostingClassifier(max_iter=15),
        }
        for name, model in forests.items():
            add(cases, f"{name}_{classes}", model, x, y, values=TREES)
    x, y, target = data()
    both = np.stack([target, -target], axis=1)
    add(cases, "boosting", ensemble.GradientBoostingClassifier(n_estimators=15), x, y, values=TREES)
    add(cases, "boosting_value", ensemble.GradientBoostingRegressor(n_estimators=15), x, target, values=TREES)
    add(cases, "forest_value", ensemble.RandomForestRegressor(15, random_state=1), x, target, values=TREES)
    add(cases, "forest_targets", ensemble.ExtraTreesRegressor(8, random_state=1), x, both, values=TREES)
    add(cases, "boosts_of_trees", ensemble.AdaBoostClassifier(n_estimators=5, random_state=1), x, y)
    add(cases, "bags_of_trees", ensemble.BaggingRegressor(n_estimators=4, random_state=1), x, target)
    isolation = ensemble.IsolationForest(n_estimators=10, random_state=0)
    add(cases, "isolation", isolation, x, target, task="none", target_opset={"": 18, "ai.onnx.ml": 3})


def boosters(cases):
    x, y, target = data(missing=True)
    x[:, 7] = NUMBERS.integers(0, 6, len(x))
    y3 = np.digitize(target, np.quantile(target, [0.3, 0.7]))
    kinds = [("X", ToolsFloat([None, x.shape[1]]))]
    positive = np.abs(target) + 0.1
    of = {kind: {"X": rows} for kind, rows in tables(x, True, TREES).items()}

    def boosted(name, model, labels, convert, task, **fit):
        model.fit(x[150:], labels[150:], **fit)
        classes = None if task in (None, "regression") else np.unique(labels).tolist()
        extra = {"zipmap": False} if convert is convert_lightgbm and classes else {}
        cases.add_tables(name, convert(model, initial_types=kinds, **extra), of, classes, task)

    x_options = {"n_estimators": 12, "max_depth": 4}
    boosted("xgboost_2", xgboost.XGBClassifier(**x_options), y, convert_xgboost, "binary")
    boosted("xgboost_3", xgboost.XGBClassifier(**x_options), y3, convert_xgboost, "multiclass")
    boosted("xgboost_value", xgboost.XGBRegressor(**x_options), target, convert_xgboost, "regression")
    boosted("xgboost_forest", xgboost.XGBRFClassifier(**x_options), y, convert_xgboost, "binary")
    counted = xgboost.XGBRegressor(objective="count:poisson", **x_options)
    boosted("xgboost_poisson", counted, positive, convert_xgboost, "regression")
    l_options = {"n_estimators": 12, "verbose": -1, "min_child_samples": 5}
    boosted("lightgbm_2", lightgbm.LGBMClassifier(**l_options), y, convert_lightgbm, "binary")
    boosted("lightgbm_3", lightgbm.LGBMClassifier(**l_options), y3, convert_lightgbm, "multiclass")
    boosted("lightgbm_value", lightgbm.LGBMRegressor(**l_options), target, convert_lightgbm, "regression")
    grouped = lightgbm.LGBMClassifier(**l_options, min_data_per_group=5, cat_smooth=1)
    boosted("lightgbm_categories", grouped, y, convert_lightgbm, "binary", categorical_feature=[7])
    poisson = lightgbm.LGBMRegressor(objective="poisson", **l_options)
    boosted("lightgbm_poisson", poisson, positive, convert_lightgbm, "regression")


def lines(cases):
    x, y, target = data()
    x3, y3, _ = data(classes=3)
    names = np.array(["alta", "baja", "media"])[y3]
    add(cases, "logistic_texts", LogisticRegression(), x3, names)
    for name, model in {
        "gradient_descent": linear_model.SGDClassifier(loss="log_loss", random_state=1),
        "ridge_classes": linear_model.RidgeClassifier(),
        "linear_vectors": svm.LinearSVC(),
        "discriminant": discriminant_analysis.LinearDiscriminantAnalysis(),
        "one_against_rest": multiclass.OneVsRestClassifier(LogisticRegression()),
    }.items():
        add(cases, name, model, x3, y3)
    for name, model in {
        "lasso": linear_model.Lasso(0.01),
        "bayes_ridge": linear_model.BayesianRidge(),
        "tweedie": linear_model.TweedieRegressor(),
        "linear_vectors_value": svm.LinearSVR(),
        "least_squares_parts": cross_decomposition.PLSRegression(2),
    }.items():
        add(cases, name, model, x, target)
    double = [("X", DoubleTensorType([None, x.shape[1]]))]
    scaled = make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge()).fit(x[150:], target[150:])
    of = {kind: {"X": rows.astype(np.float64)} for kind, rows in tables(x, True, SMOOTH).items()}
    cases.add_tables("ridge_double", to_onnx(scaled, initial_types=double), of, None, "regression")


def vectors(cases):
    x, y, target = data()
    for kernel in ("linear", "poly", "rbf", "sigmoid"):
        add(cases, f"vectors_{kernel}", svm.SVC(kernel=kernel, degree=2), x, y, values=VECTORS)
        add(cases, f"vectors_value_{kernel}", svm.SVR(kernel=kernel), x, target, values=VECTORS)
    for classes in (2, 3, 4):
        x, y, _ = data(classes=classes)
        names = np.array(["a", "b", "c", "d"])[y]
        add(cases, f"vectors_{classes}", svm.SVC(), x, y)
        calibrated = svm.SVC(probability=True, random_state=1)
        add(cases, f"vectors_probability_{classes}", calibrated, x, names)
    add(cases, "vectors_nu", svm.NuSVC(nu=0.3), x, y)
    # A label of a missing score is no number in onnxruntime.
    add(cases, "vectors_one_class", svm.OneClassSVM(), x, target[: len(x)], missing=False, task="none")


def others(cases):
    x, y, target = data()
    x3, y3, _ = data(classes=3)
    for name, model in {
        "bayes_gauss": naive_bayes.GaussianNB(),
        "bayes_bernoulli": naive_bayes.BernoulliNB(),
        "neighbours": neighbors.KNeighborsClassifier(),
        "network": neural_network.MLPClassifier((12, 6), max_iter=150, random_state=1),
    }.items():
        # Neighbours at a distance that is no number have no order.
        add(cases, name, model, x3, y3, missing=name != "neighbours")
    tanh = neural_network.MLPRegressor(hidden_layer_sizes=(8,), activation="tanh", max_iter=150)
    add(cases, "network_tanh", tanh, x, target)
    stack = [("a", LogisticRegression()), ("b", tree.DecisionTreeClassifier(max_depth=3))]
    add(cases, "stacked", ensemble.StackingClassifier(stack), x, y)
    voters = [("a", linear_model.Ridge()), ("b", ensemble.RandomForestRegressor(3, random_state=1))]
    add(cases, "voted_value", ensemble.VotingRegressor(voters), x, target)
    calibrated = calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=2)
    add(cases, "calibrated_vectors", calibrated, x3, y3)
    add(cases, "clusters", cluster.KMeans(3, n_init=2, random_state=1), x, target, task="none")
    batches = cluster.MiniBatchKMeans(3, n_init=2, random_state=1)
    add(cases, "clusters_batches", batches, x, target, task="none")
    gaussians = mixture.GaussianMixture(3, random_state=1)
    add(cases, "gaussian_mixture", gaussians, x, target, task="none")


def pipelines(cases):
    x, y, _ = data()
    selection = feature_selection.SelectKBest(k=3)
    bins = preprocessing.KBinsDiscretizer(4, encode="onehot-dense", quantile_method="averaged_inverted_cdf")
    for name, step in {
        "components": decomposition.PCA(3),
        "polynomial": preprocessing.PolynomialFeatures(2),
        "bins": bins,
        "power": preprocessing.PowerTransformer(),
        "largest": preprocessing.MaxAbsScaler(),
        "binary": preprocessing.Binarizer(),
        "selected": selection,
        "normalized_l1": preprocessing.Normalizer("l1"),
        "normalized_max": preprocessing.Normalizer("max"),
        "normalized_l2": preprocessing.Normalizer("l2"),
    }.items():
        # onnxruntime refuses to compare a missing value with a threshold, scikit-learn to put it into a bin.
        missing = name not in ("binary", "bins")
        add(cases, f"pipeline_{name}", make_pipeline(step, LogisticRegression()), x, y, missing)
    xm, ym, _ = data(missing=True)
    for name, step in {
        "mean": impute.SimpleImputer(),
        "frequent": impute.SimpleImputer(strategy="most_frequent"),
        "constant": impute.SimpleImputer(strategy="constant", fill_value=3.0),
    }.items():
        add(cases, f"imputed_{name}", make_pipeline(step, LogisticRegression()), xm, ym)


def tables_of_columns(cases):
    """Whole pipelines over tables with texts, whole numbers and numbers."""
    rows = 400
    city = NUMBERS.choice(["Quito", "Guayaquil", "Cuenca", "Ambato"], rows).astype(object)
    plan = NUMBERS.choice(["básico", "más", ""], rows).astype(object)
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

    def inputs(start, unknown=False, holes=False, values=None):
        part = slice(start, start + 40)
        numbers = np.stack([age[part], debt[part]], axis=1)
        numbers = extremes(numbers, values) if values else numbers
        numbers = without_some(numbers) if holes else numbers
        cities = city[part].copy()
        if unknown:
            cities[::3] = "Loja"
        wide = months[part].astype(np.int64)
        if values:
            wide[::4] = 1_000_000
        return {
            "city": cities[:, None], "plan": plan[part, None], "age": numbers[:, :1].copy(),
            "debt": numbers[:, 1:].copy(), "months": wide[:, None],
        }

    of = {
        "random": inputs(0), "unknown": inputs(40, unknown=True),
        "missing": inputs(80, holes=True), "extreme": inputs(120, values=SMOOTH),
    }
    hot = preprocessing.OneHotEncoder(handle_unknown="ignore")
    ordinal = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    numbers = make_pipeline(impute.SimpleImputer(strategy="median"), preprocessing.StandardScaler())
    learners = {
        "logistic": (hot, LogisticRegression()),
        "forest": (hot, ensemble.RandomForestClassifier(10, random_state=1)),
        "vectors": (hot, svm.SVC(probability=True, random_state=1)),
        "network": (hot, neural_network.MLPClassifier((8,), max_iter=150, random_state=1)),
        "boosting": (ordinal, ensemble.HistGradientBoostingClassifier(max_iter=10)),
    }
    for name, (encoder, learner) in learners.items():
        encoded = compose.ColumnTransformer([("texts", encoder, [0, 1]), ("numbers", numbers, [2, 3, 4])])
        model = make_pipeline(encoded, learner).fit(frame[150:], y[150:])
        exported = to_onnx(model, initial_types=kinds, options={id(model): {"zipmap": False}})
        cases.add_tables(f"columns_{name}", exported, of, [0, 1], "binary")


write(trees, boosters, lines, vectors, others, pipelines, tables_of_columns, networks)
