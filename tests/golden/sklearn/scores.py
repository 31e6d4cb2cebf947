#!/usr/bin/env python3
"""scikit-learn's figures for a JSON file {"n_classes", "labels", "predicted"}.

Prints one number a line: accuracy; macro, then weighted precision, recall and
f1; precision, recall, f1 and support of each class; the confusion matrix row
by row. Exit code 77 without scikit-learn.
"""
import json
import sys

try:
    from sklearn import metrics
except ImportError:
    sys.exit(77)

with open(sys.argv[1]) as f:
    d = json.load(f)
y, p, classes = d["labels"], d["predicted"], list(range(d["n_classes"]))
out = [metrics.accuracy_score(y, p)]
for average in ("macro", "weighted"):
    out += metrics.precision_recall_fscore_support(
        y, p, labels=classes, average=average, zero_division=0)[:3]
each = metrics.precision_recall_fscore_support(
    y, p, labels=classes, zero_division=0)
for c in classes:
    out += [column[c] for column in each]
for row in metrics.confusion_matrix(y, p, labels=classes):
    out += list(row)
for number in out:
    print(repr(float(number)))
