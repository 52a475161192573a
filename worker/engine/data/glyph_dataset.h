#ifndef QUANTRY_WORKER_ENGINE_DATA_GLYPH_DATASET_H_
#define QUANTRY_WORKER_ENGINE_DATA_GLYPH_DATASET_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/dataset_uri.h"
#include "worker/engine/data/dataset.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {

// Opens synthetic://glyphs: pictures of characters, made when asked for, see
// glyphs/glyph_renderer.h. Picture i of a split shows class i mod classes and depends on seed,
// split, i, classes, size, difficulty and color alone: a larger "train" only adds pictures.
// Parameters: docs/datasets.md.
absl::StatusOr<std::unique_ptr<Dataset>> OpenGlyphs(const DatasetUri& uri,
                                                    const DatasetOptions& options);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_GLYPH_DATASET_H_
