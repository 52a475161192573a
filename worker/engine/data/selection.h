#ifndef QUANTRY_WORKER_ENGINE_DATA_SELECTION_H_
#define QUANTRY_WORKER_ENGINE_DATA_SELECTION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/dataset_uri.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {

// What all readers have in common: which of a source's pictures make the dataset, and under which
// labels.

enum class HoldOut {
  kNone,   // the source is one split already
  kShare,  // of every class round(holdout * n) pictures, at least one of two, are Split::kVal's
};

// `source` cut down to what `uri` and `options` ask for:
//   HoldOut::kShare  the share is the parameter holdout; those pictures are held out whose names
//                    (Dataset::Name) hash first by SHA-256, so that it is the same everywhere
//   class_list       labels are the lines of that file, see ReadClassList
//   class_map        labels are what that file says of each name, see ReadClassMap
//   classes          only these classes of the source, labelled in this order
//   fraction, limit  so large a share of them, and at most so many: those whose names hash first
//   split_seed       another hash: of "SEED:NAME" instead of the name
// Labels count options.class_names where it is given (the training set's, for an evaluation set),
// else the class list, else the source's own. A source may lack some of these classes.
// INVALID_ARGUMENT: a class of the source that is not among them, that file and
// options.class_names differ, more than one of class_list, class_map and classes, fewer than two classes, no picture left.
absl::StatusOr<std::unique_ptr<Dataset>> Select(std::unique_ptr<Dataset> source,
                                                const DatasetUri& uri,
                                                const DatasetOptions& options, HoldOut hold_out);

// HoldOut::kShare unless the URI says split=all.
HoldOut HoldOutOf(const DatasetUri& uri);

// Classes for labels written as text: their distinct values, by value if all are whole numbers of
// at most nine digits, else bytewise.
std::vector<std::string> ClassesOf(absl::Span<const std::string> labels);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_SELECTION_H_
