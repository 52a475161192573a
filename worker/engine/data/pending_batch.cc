#include "worker/engine/data/pending_batch.h"

#include <ATen/ATen.h>

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/data/counter_rng.h"

namespace quantry::engine {
namespace {

constexpr uint64_t kAugmentation = 3;  // see epoch_order.cc for the other uses of the seed

absl::Status DecodeInto(const Dataset& dataset, int64_t example, const Transform& transform,
                        const LoaderOptions& options, int64_t epoch, float* pixels,
                        int64_t* label) {
  QUANTRY_ASSIGN_OR_RETURN(const Picture picture, dataset.Get(example));
  CounterRng rng(
      {options.seed, kAugmentation, static_cast<uint64_t>(epoch), static_cast<uint64_t>(example)});
  *label = picture.label;
  return transform.Apply(picture, PlanCrop(picture.width, picture.height, options, &rng), pixels);
}

}  // namespace

PendingBatch::PendingBatch(int64_t index, int64_t epoch, std::vector<int64_t> examples)
    : index_(index),
      epoch_(epoch),
      examples_(std::move(examples)),
      statuses_(examples_.size(), absl::OkStatus()) {}

absl::StatusOr<std::shared_ptr<PendingBatch>> PendingBatch::Create(int64_t index, int64_t epoch,
                                                                   std::vector<int64_t> examples,
                                                                   const LoaderOptions& options) {
  std::shared_ptr<PendingBatch> batch(new PendingBatch(index, epoch, std::move(examples)));
  try {
    batch->images_ =
        at::empty({batch->rows(), 3, options.image_size, options.image_size},
                  at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
    batch->labels_ = at::empty({batch->rows()}, at::kLong);
  } catch (const std::exception& e) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "no memory for a batch of ", batch->rows(), " pictures of ", options.image_size, " x ",
        options.image_size, " pixels; lower batch_size or image_size: ", e.what()));
  }
  batch->pixels_ = batch->images_.data_ptr<float>();
  batch->label_values_ = batch->labels_.data_ptr<int64_t>();
  return batch;
}

void PendingBatch::DecodeRow(int64_t row, const Dataset& dataset, const Transform& transform,
                             const LoaderOptions& options) {
  const int64_t row_floats = int64_t{3} * options.image_size * options.image_size;
  try {
    statuses_[row] = DecodeInto(dataset, examples_[row], transform, options, epoch_,
                                pixels_ + row * row_floats, label_values_ + row);
  } catch (const std::exception& e) {  // std::bad_alloc of a large picture, say
    statuses_[row] = absl::ResourceExhaustedError(
        absl::StrCat("cannot decode ", dataset.Name(examples_[row]), ": ", e.what()));
  }
}

absl::StatusOr<Batch> PendingBatch::Finish(std::map<int64_t, std::string>* corrupt) {
  std::vector<int64_t> good;
  for (int64_t row = 0; row < rows(); ++row) {
    const absl::Status& status = statuses_[row];
    if (status.ok()) {
      good.push_back(row);
    } else if (absl::IsDataLoss(status)) {
      corrupt->emplace(examples_[row], std::string(status.message()));
    } else {
      return status;
    }
  }
  const auto kept = static_cast<int64_t>(good.size());
  if (kept < rows()) {
    const at::Tensor select = at::tensor(good, at::kLong);
    images_ = images_.index_select(0, select).contiguous(at::MemoryFormat::ChannelsLast);
    labels_ = labels_.index_select(0, select);
  }
  return Batch{.index = index_, .images = images_, .labels = labels_, .skipped = rows() - kept};
}

}  // namespace quantry::engine
