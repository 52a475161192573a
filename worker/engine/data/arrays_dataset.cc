#include "worker/engine/data/arrays_dataset.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"
#include "worker/engine/data/array_targets.h"
#include "worker/engine/data/path_policy.h"
#include "worker/engine/data/selection.h"
#include "worker/engine/data/stored_array.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxExampleBytes = int64_t{1} << 30;

// One by one: ATen would start threads of its own in each of the loader's.
template <typename T>
bool AllFiniteOf(const char* row, int64_t bytes) {
  const auto* const values = reinterpret_cast<const T*>(row);
  return std::all_of(values, values + bytes / static_cast<int64_t>(sizeof(T)),
                     [](T x) { return std::isfinite(static_cast<double>(x)); });
}

bool AllFinite(c10::ScalarType dtype, const char* row, int64_t bytes) {
  switch (dtype) {
    case c10::ScalarType::Float:
      return AllFiniteOf<float>(row, bytes);
    case c10::ScalarType::Double:
      return AllFiniteOf<double>(row, bytes);
    case c10::ScalarType::Half:
      return AllFiniteOf<c10::Half>(row, bytes);
    case c10::ScalarType::BFloat16:
      return AllFiniteOf<c10::BFloat16>(row, bytes);
    default:
      return true;
  }
}

class Arrays : public Dataset {
 public:
  Arrays(std::string name, std::vector<StoredArray> inputs, ArrayTargets targets)
      : name_(std::move(name)), inputs_(std::move(inputs)), targets_(std::move(targets)) {
    for (const StoredArray& input : inputs_) {
      specs_.push_back({.name = input.name,
                        .dtype = input.dtype,
                        .shape = {input.shape.begin() + 1, input.shape.end()}});
    }
  }

  int64_t size() const override { return inputs_.front().rows(); }
  std::string Name(int64_t index) const override { return absl::StrCat(name_, " ", index); }
  TargetKind target_kind() const override { return targets_.kind; }
  const std::vector<std::string>& class_names() const override { return targets_.names; }
  int64_t Label(int64_t index) const override {
    return targets_.labels.empty() ? 0 : targets_.labels[index];
  }
  absl::Span<const float> Targets(int64_t index) const override {
    if (targets_.values.empty()) return {};
    const size_t width = targets_.names.size();
    return absl::MakeConstSpan(targets_.values).subspan(index * width, width);
  }
  absl::Span<const ArraySpec> arrays() const override { return specs_; }
  std::optional<int> native_size() const override { return std::nullopt; }
  bool mirrors_well() const override { return false; }

  absl::StatusOr<Picture> Get(int64_t index) const override {
    return absl::InternalError(absl::StrCat(Name(index), " is arrays, not a picture"));
  }

  absl::Status ReadArrays(int64_t index, absl::Span<char* const> rows) const override {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      QUANTRY_RETURN_IF_ERROR(inputs_[i].Read(index, 1, rows[i]));
      QUANTRY_RETURN_IF_ERROR(CheckRow(inputs_[i], index, rows[i]));
    }
    return absl::OkStatus();
  }

 private:
  // A NaN would spread over the whole batch. A bool that is neither 0 nor 1 is undefined to C++.
  absl::Status CheckRow(const StoredArray& input, int64_t index, char* row) const {
    if (input.dtype == at::kBool) {
      std::for_each(row, row + input.row_bytes(), [](char& byte) { byte = byte != 0 ? 1 : 0; });
    }
    if (AllFinite(input.dtype, row, input.row_bytes())) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat(Name(index), ": array '", input.name, "' holds NaN or infinity"));
  }

  const std::string name_;  // of the file, for messages
  const std::vector<StoredArray> inputs_;
  const ArrayTargets targets_;
  std::vector<ArraySpec> specs_;
};

absl::StatusOr<StoredArray> Find(const std::vector<StoredArray>& arrays, absl::string_view name,
                                 absl::string_view parameter) {
  std::vector<absl::string_view> names;
  for (const StoredArray& array : arrays) {
    if (array.name == name) return array;
    names.push_back(array.name);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "dataset URI: parameter '", parameter, "' names '", name, "', which no array is called",
      DidYouMean(name, names), "; there are: ", absl::StrJoin(names, ", ")));
}

// Those that `inputs` names, in that order; else all but the target.
absl::StatusOr<std::vector<StoredArray>> ChooseInputs(const DatasetUri& uri,
                                                      const std::vector<StoredArray>& arrays,
                                                      const std::string& target) {
  std::vector<StoredArray> inputs;
  if (!uri.Has("inputs")) {
    std::copy_if(arrays.begin(), arrays.end(), std::back_inserter(inputs),
                 [&](const StoredArray& array) { return array.name != target; });
  } else {
    for (const absl::string_view name : absl::StrSplit(uri.Text("inputs"), ',')) {
      QUANTRY_ASSIGN_OR_RETURN(StoredArray array, Find(arrays, name, "inputs"));
      for (const StoredArray& other : inputs) {
        if (other.name != array.name) continue;
        return absl::InvalidArgumentError(
            absl::StrCat("dataset URI: parameter 'inputs' names '", name, "' twice; name it once"));
      }
      inputs.push_back(std::move(array));
    }
  }
  if (!inputs.empty()) return inputs;
  return absl::InvalidArgumentError(
      absl::StrCat(uri.path(), " holds no array beside the target, so there is no input"));
}

absl::Status CheckInputs(const std::vector<StoredArray>& inputs, int64_t rows) {
  int64_t bytes = 0;
  for (const StoredArray& input : inputs) {
    if (input.rows() != rows || rows < 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "array '", input.name, "' has shape [", absl::StrJoin(input.shape, ", "),
          "]; its first axis counts examples, of which there ", rows == 1 ? "is " : "are ", rows,
          "; all arrays must have as many, one or more"));
    }
    bytes += std::min(input.row_bytes(), kMaxExampleBytes + 1);
    if (bytes > kMaxExampleBytes || input.row_bytes() == 0) {
      return absl::InvalidArgumentError(absl::StrCat("array '", input.name,
                                                     "' makes an example of ", bytes,
                                                     " bytes; allowed: 1 to ", kMaxExampleBytes));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ArrayTargets> ReadTargets(const DatasetUri& uri,
                                         const std::vector<StoredArray>& arrays,
                                         std::vector<StoredArray>* inputs) {
  const std::string target = uri.Text("target");
  QUANTRY_ASSIGN_OR_RETURN(*inputs, ChooseInputs(uri, arrays, target));
  if (target.empty()) {
    for (const absl::string_view key : {"task", "num_classes", "class_list", "class_map", "classes"}) {
      if (!uri.Has(key)) continue;
      return absl::InvalidArgumentError(absl::StrCat("dataset URI: parameter '", key,
                                                     "' has no effect without 'target'; add that"));
    }
    return ArrayTargets();
  }
  QUANTRY_ASSIGN_OR_RETURN(const StoredArray array, Find(arrays, target, "target"));
  if (array.rows() != inputs->front().rows()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "target '", target, "' has ", array.rows(), " examples, input '", inputs->front().name,
        "' has ", inputs->front().rows(), "; the first axis of both counts examples"));
  }
  std::optional<int64_t> num_classes;
  if (uri.Has("num_classes")) num_classes = uri.Integer("num_classes");
  return ReadArrayTargets(array, uri.Text("task"), num_classes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> OpenArrays(const DatasetUri& uri,
                                                    const DatasetOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<StoredArray> arrays,
                           OpenArrayFiles(uri.path(), PathPolicy(options.allowed_roots)));
  std::vector<StoredArray> inputs;
  absl::StatusOr<ArrayTargets> targets = ReadTargets(uri, arrays, &inputs);
  if (!targets.ok()) return WithContext(targets.status(), uri.path());
  const absl::Status fits = CheckInputs(inputs, inputs.front().rows());
  if (!fits.ok()) return WithContext(fits, uri.path());
  const std::string name = std::filesystem::path(uri.path()).filename().string();
  return Select(std::make_unique<Arrays>(name, std::move(inputs), *std::move(targets)), uri,
                options, HoldOutOf(uri));
}

}  // namespace quantry::engine
