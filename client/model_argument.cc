#include "client/model_argument.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/job_client.h"
#include "common/status_macros.h"

namespace quantry::client {
namespace {

absl::Status SetBuiltinOption(absl::string_view option, v1::BuiltinModel& model) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(option, absl::MaxSplits('=', 1));
  if (parts.first == "classes") {
    int32_t classes = 0;
    if (!absl::SimpleAtoi(parts.second, &classes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("classes is '", parts.second, "'; allowed: an integer, 2 or more"));
    }
    model.set_num_classes(classes);
    return absl::OkStatus();
  }
  if (parts.first == "width") {
    double width = 0;
    if (!absl::SimpleAtod(parts.second, &width)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "width is '", parts.second, "'; allowed: a number larger than 0, at most 4"));
    }
    model.set_width(width);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown option '", parts.first, "'; allowed: classes, width"));
}

absl::StatusOr<v1::ModelSource> ParseBuiltin(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('?', 1));
  if (parts.first.empty()) {
    return absl::InvalidArgumentError(
        "the name is missing; 'quantry capabilities' lists the built-in models");
  }
  v1::ModelSource source;
  source.mutable_builtin()->set_name(std::string(parts.first));
  for (const absl::string_view option : absl::StrSplit(parts.second, '&', absl::SkipEmpty())) {
    QUANTRY_RETURN_IF_ERROR(SetBuiltinOption(option, *source.mutable_builtin()));
  }
  return source;
}

}  // namespace

absl::StatusOr<ModelArgument> ParseModelArgument(absl::string_view argument) {
  absl::string_view rest = argument;
  if (absl::ConsumePrefix(&rest, "builtin:")) {
    absl::StatusOr<v1::ModelSource> source = ParseBuiltin(rest);
    if (!source.ok()) return WithContext(source.status(), absl::StrCat("model '", argument, "'"));
    return ModelArgument(*std::move(source));
  }
  if (absl::ConsumePrefix(&rest, "job:")) {
    QUANTRY_ASSIGN_OR_RETURN(std::string name, JobName(rest));
    v1::ModelSource source;
    source.set_job(std::move(name));
    return ModelArgument(std::move(source));
  }
  if (argument.empty()) {
    return absl::InvalidArgumentError(
        "the model is empty; allowed: an ONNX or TorchScript file, builtin:NAME, job:ID");
  }
  return ModelArgument(std::filesystem::path(std::string(argument)));
}

std::string DescribeModel(const v1::ModelSource& model) {
  switch (model.source_case()) {
    case v1::ModelSource::kBuiltin: {
      std::string text = model.builtin().name();
      if (model.builtin().has_width()) absl::StrAppend(&text, " x", model.builtin().width());
      return text;
    }
    case v1::ModelSource::kJob:
      return model.job();
    case v1::ModelSource::kBlob:
      return absl::StrCat("onnx ", model.blob().substr(0, 8));
    case v1::ModelSource::SOURCE_NOT_SET:
      return "-";
  }
  return "-";
}

}  // namespace quantry::client
