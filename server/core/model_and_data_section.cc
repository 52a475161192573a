#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/dataset_uri.h"
#include "common/sha256.h"
#include "common/utf8.h"
#include "server/core/catalog.h"
#include "server/core/job_id.h"
#include "server/core/spec_sections.h"

namespace quantry::server {
namespace {

constexpr size_t kMaxUri = 4096;

std::string Quoted(absl::string_view text) { return absl::StrCat("'", text.substr(0, 120), "'"); }

void CheckBuiltin(const v1::BuiltinModel& builtin, Violations& violations) {
  violations.Require(absl::c_linear_search(BuiltinModels(), builtin.name()),
                     "spec.model.builtin.name", Quoted(builtin.name()),
                     absl::StrJoin(BuiltinModels(), ", "));
  if (builtin.has_num_classes()) {
    violations.Require(builtin.num_classes() >= 2 && builtin.num_classes() <= 1'000'000,
                       "spec.model.builtin.num_classes", builtin.num_classes(), "2 to 1000000");
  }
  if (builtin.has_width()) {
    violations.Require(builtin.width() > 0 && builtin.width() <= 4, "spec.model.builtin.width",
                       builtin.width(), "larger than 0, at most 4");
  }
  if (builtin.has_weights()) {
    violations.Require(IsSha256Hex(builtin.weights()), "spec.model.builtin.weights",
                       Quoted(builtin.weights()),
                       "64 lower-case hex digits: the SHA-256 of an uploaded safetensors, ONNX or "
                       "TorchScript file");
  }
  violations.Require(builtin.has_weights() || !builtin.new_classifier(),
                     "spec.model.builtin.new_classifier", "true",
                     "false, or absent, where spec.model.builtin.weights is absent");
}

void CheckUri(const std::string& field, const std::string& uri, Violations& violations) {
  if (uri.size() > kMaxUri) {
    violations.Add(field,
                   absl::StrCat("is ", uri.size(), " bytes long; allowed: at most ", kMaxUri));
    return;
  }
  const absl::Status parsed = DatasetUri::Parse(uri).status();
  if (!parsed.ok()) violations.Add(field, ToValidUtf8(parsed.message()));
}

void CheckExamples(const std::string& field, int64_t count, Violations& violations) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  violations.Require(count >= 1 && count <= kMost, field, count, absl::StrCat("1 to ", kMost));
}

template <typename Values>
void CheckNormalisation(const std::string& field, const Values& values, bool positive,
                        Violations& violations) {
  violations.Require(values.empty() || values.size() == 3, field,
                     absl::StrCat(values.size(), " values"), "3 values, or none");
  for (const double value : values) {
    violations.Require(std::isfinite(value) && (!positive || value > 0), field, value,
                       positive ? "finite numbers larger than 0" : "finite numbers");
  }
}

}  // namespace

void CheckModelSource(const v1::ModelSource& model, Violations& violations) {
  switch (model.source_case()) {
    case v1::ModelSource::kBlob:
      violations.Require(IsSha256Hex(model.blob()), "spec.model.blob", Quoted(model.blob()),
                         "64 lower-case hex digits: the SHA-256 of an uploaded ONNX file");
      return;
    case v1::ModelSource::kBuiltin:
      CheckBuiltin(model.builtin(), violations);
      return;
    case v1::ModelSource::kJob:
      violations.Require(ParseJobName(model.job(), "spec.model.job").ok(), "spec.model.job",
                         Quoted(model.job()), "jobs/ID, the name of a job that SUCCEEDED");
      return;
    case v1::ModelSource::SOURCE_NOT_SET:
      violations.Add("spec.model", "is missing; allowed: blob, builtin, job");
      return;
  }
}

namespace {

// Written so that NaN is refused too.
void CheckShare(absl::string_view field, double value, double high, Violations& violations) {
  violations.Require(value >= 0.0 && value <= high, field, value, absl::StrCat("0 to ", high));
}

void CheckAugmentation(const v1::Augmentation& augment, Violations& violations) {
  const std::string part = "spec.data.augmentation.";
  if (augment.has_resized_crop_min_area()) {
    const double area = augment.resized_crop_min_area();
    violations.Require(area > 0.0 && area <= 1.0, part + "resized_crop_min_area", area,
                       "above 0, up to 1");
  }
  CheckShare(part + "brightness", augment.brightness(), 1.0, violations);
  CheckShare(part + "contrast", augment.contrast(), 1.0, violations);
  CheckShare(part + "saturation", augment.saturation(), 1.0, violations);
  CheckShare(part + "hue", augment.hue(), 0.5, violations);
  CheckShare(part + "random_erasing", augment.random_erasing(), 1.0, violations);
  const int ops = augment.rand_augment_ops();
  violations.Require(ops >= 0 && ops <= 16, part + "rand_augment_ops", ops, "0 to 16");
  const int magnitude = augment.rand_augment_magnitude();
  violations.Require(magnitude >= 0 && magnitude <= 30, part + "rand_augment_magnitude", magnitude,
                     "0 to 30");
}

}  // namespace

void CheckDataOptions(const v1::DataOptions& data, Violations& violations) {
  if (data.train_uri().empty()) {
    violations.Add("spec.data.train_uri",
                   "is missing; allowed: file:///path/to/folder, synthetic://glyphs?...");
  } else {
    CheckUri("spec.data.train_uri", data.train_uri(), violations);
  }
  if (data.has_eval_uri()) CheckUri("spec.data.eval_uri", data.eval_uri(), violations);
  if (data.has_image_size()) {
    violations.Require(data.image_size() >= 8 && data.image_size() <= 1024, "spec.data.image_size",
                       data.image_size(), "8 to 1024");
  }
  CheckNormalisation("spec.data.mean", data.mean(), false, violations);
  CheckNormalisation("spec.data.std", data.std(), true, violations);
  if (data.has_max_train_examples()) {
    CheckExamples("spec.data.max_train_examples", data.max_train_examples(), violations);
  }
  if (data.has_max_eval_examples()) {
    CheckExamples("spec.data.max_eval_examples", data.max_eval_examples(), violations);
  }
  if (data.has_max_corrupt_share()) {
    CheckShare("spec.data.max_corrupt_share", data.max_corrupt_share(), 1.0, violations);
  }
  CheckAugmentation(data.augmentation(), violations);
  if (data.has_decode_threads()) {
    violations.Require(data.decode_threads() >= 1 && data.decode_threads() <= 64,
                       "spec.data.decode_threads", data.decode_threads(), "1 to 64");
  }
}

}  // namespace quantry::server
