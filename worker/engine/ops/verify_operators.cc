#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/nearest_name.h"
#include "common/status_macros.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {
namespace {

bool Holds(const Attribute& attribute, AttributeKind kind) {
  switch (kind) {
    case AttributeKind::kInt:
      return std::holds_alternative<int64_t>(attribute);
    case AttributeKind::kFloat:
      return std::holds_alternative<float>(attribute);
    case AttributeKind::kString:
      return std::holds_alternative<std::string>(attribute);
    case AttributeKind::kInts:
      return std::holds_alternative<std::vector<int64_t>>(attribute);
    case AttributeKind::kFloats:
      return std::holds_alternative<std::vector<float>>(attribute);
    case AttributeKind::kStrings:
      return std::holds_alternative<std::vector<std::string>>(attribute);
    case AttributeKind::kTensor:
      return std::holds_alternative<at::Tensor>(attribute);
  }
  return false;
}

absl::string_view KindName(AttributeKind kind) {
  switch (kind) {
    case AttributeKind::kInt:
      return "an integer";
    case AttributeKind::kFloat:
      return "a float";
    case AttributeKind::kString:
      return "a string";
    case AttributeKind::kInts:
      return "a list of integers";
    case AttributeKind::kFloats:
      return "a list of floats";
    case AttributeKind::kStrings:
      return "a list of strings";
    case AttributeKind::kTensor:
      return "a tensor";
  }
  return "?";
}

std::string Range(int least, int most) {
  if (least == most) return absl::StrCat(least);
  return most > 1000 ? absl::StrCat(least, " or more") : absl::StrCat(least, " to ", most);
}

absl::Status VerifyArity(const Node& node, const OperatorDef& def) {
  const auto inputs = static_cast<int64_t>(node.inputs().size());
  if (inputs < def.min_inputs || inputs > def.max_inputs) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", inputs, " inputs; ", Range(def.min_inputs, def.max_inputs), " are allowed"));
  }
  for (int i = 0; i < def.min_inputs; ++i) {
    if (node.input(static_cast<size_t>(i)) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
    }
  }
  const auto outputs = static_cast<int64_t>(node.outputs().size());
  if (outputs < def.min_outputs || outputs > def.max_outputs) {
    return absl::InvalidArgumentError(absl::StrCat("has ", outputs, " outputs that are used; ",
                                                   Range(def.min_outputs, def.max_outputs),
                                                   " are supported"));
  }
  return absl::OkStatus();
}

absl::Status VerifyAttributes(const Node& node, const OperatorDef& def) {
  std::vector<absl::string_view> known;
  for (const AttributeDef& attribute : def.attributes) {
    known.push_back(attribute.name);
    const auto found = node.attributes.find(std::string(attribute.name));
    if (found == node.attributes.end()) {
      if (!attribute.required) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("attribute '", attribute.name, "' is missing"));
    }
    if (!Holds(found->second, attribute.kind)) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute '", attribute.name, "' must be ", KindName(attribute.kind)));
    }
  }
  for (const auto& [name, attribute] : node.attributes) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("attribute '", name, "' is not supported",
                     known.empty() ? std::string("; there are none")
                                   : absl::StrCat("; known are ", absl::StrJoin(known, ", "))));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status VerifyOperator(const Node& node, const OperatorDef& def) {
  QUANTRY_RETURN_IF_ERROR(VerifyArity(node, def));
  QUANTRY_RETURN_IF_ERROR(VerifyAttributes(node, def));
  return def.validate == nullptr ? absl::OkStatus() : def.validate(node);
}

absl::Status VerifyOperators(const Graph& graph) {
  for (const Node* node : graph.nodes()) {
    const OperatorDef* def = FindOperator(node->op());
    if (def == nullptr) {
      std::vector<absl::string_view> known;
      for (const OperatorDef* candidate : OperatorTable()) known.push_back(candidate->op);
      return absl::InvalidArgumentError(absl::StrCat("node '", node->name(), "': operator '",
                                                     node->op(), "' is not supported",
                                                     DidYouMean(node->op(), known)));
    }
    QUANTRY_RETURN_IF_ERROR(WithContext(
        VerifyOperator(*node, *def), absl::StrCat("node '", node->name(), "' (", node->op(), ")")));
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
