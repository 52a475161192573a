#include "worker/engine/import/sub_graph_names.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace quantry::engine {
namespace {

// New names as a sub-graph sees them: those that it gives to values of its own are not renamed.
class Scope {
 public:
  explicit Scope(const Names& names) : names_(names) {}
  Scope(const Scope& outer, const onnx::GraphProto& graph) : names_(outer.names_), outer_(&outer) {
    for (const onnx::ValueInfoProto& input : graph.input()) own_.insert(input.name());
    for (const onnx::TensorProto& tensor : graph.initializer()) own_.insert(tensor.name());
    for (const onnx::NodeProto& node : graph.node()) {
      own_.insert(node.output().begin(), node.output().end());
    }
  }

  // The parser bounds how deep they nest.
  bool Hides(const std::string& name) const {
    return own_.contains(name) || (outer_ != nullptr && outer_->Hides(name));
  }

  void Rename(std::string& name) const {
    const auto found = names_.find(name);
    if (found != names_.end() && !Hides(name)) name = found->second;
  }

  // A sub-graph takes values of those around it by their names.
  void Rename(onnx::NodeProto& node) const {
    for (std::string& input : *node.mutable_input()) Rename(input);
    for (std::string& output : *node.mutable_output()) Rename(output);
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (!attribute.has_g()) continue;
      const Scope inner(*this, attribute.g());
      for (onnx::NodeProto& one : *attribute.mutable_g()->mutable_node()) inner.Rename(one);
      for (onnx::ValueInfoProto& output : *attribute.mutable_g()->mutable_output()) {
        inner.Rename(*output.mutable_name());
      }
    }
  }

 private:
  const Names& names_;
  const Scope* outer_ = nullptr;
  absl::flat_hash_set<std::string> own_;
};

}  // namespace

std::string Renamed(const Names& names, const std::string& name) {
  const auto found = names.find(name);
  return found == names.end() ? name : found->second;
}

void NameInside(const onnx::GraphProto& body, const std::string& prefix, const std::string& fixed,
                Names& names) {
  for (const onnx::NodeProto& node : body.node()) {
    for (const std::string& output : node.output()) {
      if (!output.empty()) names[output] = absl::StrCat(prefix, output);
    }
  }
  for (const onnx::TensorProto& tensor : body.initializer()) {
    names[tensor.name()] = absl::StrCat(fixed, tensor.name());
  }
}

void RenameValues(const Names& names, onnx::NodeProto& node) { Scope(names).Rename(node); }

}  // namespace quantry::engine
