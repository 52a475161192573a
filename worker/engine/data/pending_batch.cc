#include "worker/engine/data/pending_batch.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/data/counter_rng.h"

namespace quantry::engine {
namespace {

constexpr uint64_t kAugmentation = 3;  // see epoch_order.cc for the other uses of the seed

at::Tensor PictureTensor(int64_t rows, int64_t size) {
  return at::empty({rows, 3, size, size},
                   at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
}

at::Tensor ArrayTensor(int64_t rows, const ArraySpec& spec) {
  std::vector<int64_t> shape = {rows};
  shape.insert(shape.end(), spec.shape.begin(), spec.shape.end());
  return at::empty(shape, spec.dtype);
}

// A value that is not finite would make the whole batch worthless.
absl::Status CheckFinite(absl::Span<const float> targets, const Dataset& dataset, int64_t example) {
  const bool finite =
      std::all_of(targets.begin(), targets.end(), [](float x) { return std::isfinite(x); });
  if (finite) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(dataset.Name(example), ": a target is not finite"));
}

}  // namespace

PendingBatch::PendingBatch(int64_t index, int64_t epoch, std::vector<int64_t> examples)
    : index_(index),
      epoch_(epoch),
      examples_(std::move(examples)),
      statuses_(examples_.size(), absl::OkStatus()) {}

absl::StatusOr<std::shared_ptr<PendingBatch>> PendingBatch::Create(int64_t index, int64_t epoch,
                                                                   std::vector<int64_t> examples,
                                                                   const Dataset& dataset,
                                                                   const LoaderOptions& options) {
  std::shared_ptr<PendingBatch> batch(new PendingBatch(index, epoch, std::move(examples)));
  try {
    batch->Allocate(dataset, options);
  } catch (const std::exception& e) {
    const std::string what =
        dataset.arrays().empty()
            ? absl::StrCat("pictures of ", options.image_size, " x ", options.image_size,
                           " pixels; lower batch_size or image_size: ")
            : std::string("examples; lower batch_size: ");
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for a batch of ", batch->rows(), " ", what, e.what()));
  }
  return batch;
}

void PendingBatch::Allocate(const Dataset& dataset, const LoaderOptions& options) {
  if (dataset.arrays().empty()) inputs_.push_back(PictureTensor(rows(), options.image_size));
  for (const ArraySpec& spec : dataset.arrays()) inputs_.push_back(ArrayTensor(rows(), spec));
  for (const at::Tensor& input : inputs_) {
    input_bytes_.push_back(static_cast<char*>(input.data_ptr()));
    row_bytes_.push_back(static_cast<int64_t>(input.nbytes()) / std::max<int64_t>(1, rows()));
  }
  switch (dataset.target_kind()) {
    case TargetKind::kClass:
      targets_ = at::empty({rows()}, at::kLong);
      labels_ = targets_.data_ptr<int64_t>();
      break;
    case TargetKind::kMultiLabel:
    case TargetKind::kValues:
      targets_ =
          at::empty({rows(), static_cast<int64_t>(dataset.class_names().size())}, at::kFloat);
      target_values_ = targets_.data_ptr<float>();
      break;
    case TargetKind::kNone:
      break;
  }
}

absl::Status PendingBatch::ReadPictureRow(int64_t row, const Dataset& dataset,
                                          const Transform& transform,
                                          const LoaderOptions& options) {
  const int64_t example = examples_[row];
  QUANTRY_ASSIGN_OR_RETURN(const Picture picture, dataset.Get(example));
  CounterRng rng(
      {options.seed, kAugmentation, static_cast<uint64_t>(epoch_), static_cast<uint64_t>(example)});
  auto* const pixels = reinterpret_cast<float*>(input_bytes_[0] + row * row_bytes_[0]);
  return transform.ApplyRandomly(picture, &rng, pixels);
}

absl::Status PendingBatch::ReadArrayRow(int64_t row, const Dataset& dataset) {
  std::vector<char*> rows(inputs_.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = input_bytes_[i] + row * row_bytes_[i];
  return dataset.ReadArrays(examples_[row], rows);
}

absl::Status PendingBatch::ReadRow(int64_t row, const Dataset& dataset, const Transform& transform,
                                   const LoaderOptions& options) {
  const int64_t example = examples_[row];
  if (labels_ != nullptr) labels_[row] = dataset.Label(example);
  if (target_values_ != nullptr) {
    const absl::Span<const float> targets = dataset.Targets(example);
    QUANTRY_RETURN_IF_ERROR(CheckFinite(targets, dataset, example));
    std::copy(targets.begin(), targets.end(),
              target_values_ + row * static_cast<int64_t>(targets.size()));
  }
  return dataset.arrays().empty() ? ReadPictureRow(row, dataset, transform, options)
                                  : ReadArrayRow(row, dataset);
}

void PendingBatch::DecodeRow(int64_t row, const Dataset& dataset, const Transform& transform,
                             const LoaderOptions& options) {
  try {
    statuses_[row] = ReadRow(row, dataset, transform, options);
  } catch (const std::exception& e) {  // std::bad_alloc of a large picture, say
    statuses_[row] = absl::ResourceExhaustedError(
        absl::StrCat("cannot decode ", dataset.Name(examples_[row]), ": ", e.what()));
  }
}

absl::StatusOr<Batch> PendingBatch::Finish(const LoaderOptions& options,
                                           std::map<int64_t, std::string>* corrupt) {
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
    for (at::Tensor& input : inputs_) {
      const at::MemoryFormat format = input.suggest_memory_format();
      input = input.index_select(0, select).contiguous(format);
    }
    if (targets_.defined()) targets_ = targets_.index_select(0, select);
  }
  Batch batch{.index = index_, .inputs = {}, .targets = targets_, .skipped = rows() - kept};
  if (options.arrays.empty()) {
    batch.inputs = std::move(inputs_);
    return batch;
  }
  for (const ArrayInput& input : options.arrays) {
    batch.inputs.push_back(inputs_[input.array].to(input.dtype));
  }
  return batch;
}

}  // namespace quantry::engine
