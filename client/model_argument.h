#ifndef QUANTRY_CLIENT_MODEL_ARGUMENT_H_
#define QUANTRY_CLIENT_MODEL_ARGUMENT_H_

#include <filesystem>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quantry/v1/spec.pb.h"

namespace quantry::client {

// The model that a person names: a file that has to be uploaded first, or a source that the server
// knows already.
using ModelArgument = std::variant<std::filesystem::path, v1::ModelSource>;

// Reads "builtin:NAME", "builtin:NAME?classes=N&width=F", "job:ID" or the path of a file ("./" in
// front of a file whose name starts with "builtin:" or "job:"). INVALID_ARGUMENT names what is
// wrong and what is allowed. Whether the name or file exists is not looked at.
absl::StatusOr<ModelArgument> ParseModelArgument(absl::string_view argument);

// The model of a job for people: "mobilenet_v2", "jobs/x", "onnx 1a2b3c4d".
std::string DescribeModel(const v1::ModelSource& model);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_MODEL_ARGUMENT_H_
