#include "worker/engine/graph/print.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace quantry::engine {
namespace {

struct AttributeText {
  std::string operator()(int64_t value) const { return absl::StrCat(value); }
  std::string operator()(float value) const { return absl::StrCat(value); }
  std::string operator()(const std::string& value) const { return absl::StrCat("'", value, "'"); }
  std::string operator()(const std::vector<int64_t>& values) const { return List(values); }
  std::string operator()(const std::vector<float>& values) const { return List(values); }
  std::string operator()(const std::vector<std::string>& values) const {
    return absl::StrCat("['", absl::StrJoin(values, "','"), "']");
  }
  std::string operator()(const at::Tensor& value) const { return ToString(TypeOf(value)); }

 private:
  template <typename T>
  static std::string List(const std::vector<T>& values) {
    return absl::StrCat("[", absl::StrJoin(values, ","), "]");
  }
};

std::string NameOf(const Value* value) {
  return value == nullptr ? "_" : absl::StrCat("%", value->name());
}

std::string NamesOf(const std::vector<Value*>& values) {
  return absl::StrJoin(values, ", ", [](std::string* out, const Value* value) {
    absl::StrAppend(out, NameOf(value));
  });
}

std::string AttributesOf(const Node& node) {
  if (node.attributes.empty()) return "";
  const std::string list =
      absl::StrJoin(node.attributes, ", ", [](std::string* out, const auto& attribute) {
        absl::StrAppend(out, attribute.first, "=", std::visit(AttributeText(), attribute.second));
      });
  return absl::StrCat("[", list, "]");
}

absl::string_view RoleName(InitializerRole role) {
  switch (role) {
    case InitializerRole::kParameter:
      return "param";
    case InitializerRole::kBuffer:
      return "buffer";
    case InitializerRole::kConstant:
      return "const";
  }
  return "?";
}

}  // namespace

std::string Print(const Graph& graph) {
  std::string text = absl::StrCat("graph ", graph.name, " (");
  absl::string_view separator = "";
  for (const Value* input : graph.inputs()) {
    absl::StrAppend(&text, separator, NameOf(input), ": ", ToString(input->type));
    separator = ", ";
  }
  absl::StrAppend(&text, ") -> (", NamesOf(graph.outputs()), ")\n");
  for (const Value* value : graph.initializers()) {
    absl::StrAppend(&text, "  ", RoleName(value->role()), " ", NameOf(value), ": ",
                    ToString(value->type), "\n");
  }
  const auto order = graph.TopologicalOrder();
  // A graph with a cycle is still worth looking at: then in the order of insertion.
  for (const Node* node : order.ok() ? *order : graph.nodes()) {
    absl::StrAppend(&text, "  ", NamesOf(node->outputs()), " = ", node->op(), AttributesOf(*node),
                    "(", NamesOf(node->inputs()), ")  # ", node->name(), "\n");
  }
  return text;
}

}  // namespace quantry::engine
