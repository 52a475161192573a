#ifndef QUANTRY_WORKER_ENGINE_DATA_CACHED_DATASET_H_
#define QUANTRY_WORKER_ENGINE_DATA_CACHED_DATASET_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/engine/data/dataset.h"

namespace quantry::engine {

// Keeps every picture of another dataset in memory once it has been asked for, so that later epochs
// only copy it. Memory: size() * native_size()^2 * 3 bytes, touched as it fills.
class CachedDataset : public Dataset {
 public:
  // `source` must have a native size.
  explicit CachedDataset(std::unique_ptr<Dataset> source);

  int64_t size() const override { return source_->size(); }
  const std::vector<std::string>& class_names() const override { return source_->class_names(); }
  std::optional<int> native_size() const override { return source_->native_size(); }
  bool mirrors_well() const override { return source_->mirrors_well(); }
  TargetKind target_kind() const override { return source_->target_kind(); }
  int64_t Label(int64_t index) const override { return source_->Label(index); }
  absl::Span<const float> Targets(int64_t index) const override { return source_->Targets(index); }
  std::string Name(int64_t index) const override { return source_->Name(index); }

  absl::StatusOr<Picture> Get(int64_t index) const override;

 private:
  // A slot goes from kEmpty to kFilling by the one thread that writes it, then to kFull for good.
  enum State : uint8_t { kEmpty, kFilling, kFull };

  const std::unique_ptr<Dataset> source_;
  const int64_t picture_bytes_;
  const std::unique_ptr<uint8_t[]> pixels_;  // slot i at i * picture_bytes_
  mutable std::vector<std::atomic<State>> states_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_CACHED_DATASET_H_
