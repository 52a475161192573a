#ifndef QUANTRY_TESTS_WORKER_ENGINE_TRAIN_GLYPH_IMAGES_H_
#define QUANTRY_TESTS_WORKER_ENGINE_TRAIN_GLYPH_IMAGES_H_

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "worker/engine/data/open_dataset.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/train/calibrate.h"

namespace quantry::engine {

// Three batches of 8 pictures of 8 x 8 pixels, of five classes: what calibration looks at.
inline std::unique_ptr<Loader> MakeGlyphLoader() {
  auto dataset = OpenDataset("synthetic://glyphs?classes=5&size=16&train=24&val=24&seed=1",
                             {.split = Split::kTrain});
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  return Loader::Create(*std::move(dataset), {.batch_size = 8, .image_size = 8}).value();
}

// All of them, [24, 3, 8, 8].
inline at::Tensor AllGlyphImages() {
  const auto loader = MakeGlyphLoader();
  EXPECT_TRUE(loader->StartEpoch(0).ok());
  std::vector<at::Tensor> images;
  for (auto batch = loader->Next(); batch.ok() && *batch; batch = loader->Next()) {
    images.push_back((*batch)->inputs[0]);
  }
  return at::cat(images);
}

// Fake quantization as `config` says, calibrated on them.
inline void QuantizeOnGlyphs(Graph& graph, const QuantConfig& config) {
  const auto plan = Annotate(graph, config, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  InsertFakeQuant(graph, *plan);
  ASSERT_TRUE(Calibrate(graph, *MakeGlyphLoader(), 3).ok());
}

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_TRAIN_GLYPH_IMAGES_H_
