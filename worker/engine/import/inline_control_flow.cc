#include "worker/engine/import/inline_control_flow.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/import/graph_part.h"
#include "worker/engine/import/onnx_text.h"
#include "worker/engine/import/parse_model.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMostIterations = 4096;
constexpr int64_t kMostNodes = 50000;
constexpr int64_t kMostBytes = int64_t{256} << 20;  // of all copies
constexpr int64_t kMostLooks = int64_t{1} << 22;    // nodes looked at in search of constants

using Names = absl::flat_hash_map<std::string, std::string>;

const onnx::GraphProto* SubGraphOf(const onnx::NodeProto& node, absl::string_view name) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name && attribute.has_g()) return &attribute.g();
  }
  return nullptr;
}

std::vector<int64_t> IntsOf(const onnx::NodeProto& node, absl::string_view name, int64_t count) {
  std::vector<int64_t> ints;
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) ints.assign(attribute.ints().begin(), attribute.ints().end());
  }
  ints.resize(static_cast<size_t>(count), 0);
  return ints;
}

bool IsControlFlow(const onnx::NodeProto& node) {
  const std::string op = QualifiedOp(node);
  return op == "If" || op == "Loop" || op == "Scan";
}

std::string Renamed(const Names& names, const std::string& name) {
  const auto found = names.find(name);
  return found == names.end() ? name : found->second;
}

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

class Inliner {
 public:
  Inliner(int64_t opset, const ConstantFinder& find, onnx::GraphProto& graph)
      : opset_(opset), find_(find), graph_(graph) {}

  // Again and again, since inlining a node may tell the course of one in front of it.
  absl::Status Run() {
    absl::Status refused;
    for (bool progress = true; progress;) {
      progress = false;
      refused = absl::OkStatus();
      for (int i = 0; i < graph_.node_size();) {
        if (!IsControlFlow(graph_.node(i))) {
          ++i;
          continue;
        }
        const onnx::NodeProto node = graph_.node(i);
        const absl::Status status = Inline(node);
        if (!status.ok()) {
          if (!waits_) return Named(node, status);
          if (refused.ok()) refused = Named(node, status);
          ++i;
          continue;
        }
        graph_.mutable_node()->DeleteSubrange(i, 1);
        parts_.reset();
        progress = true;
      }
    }
    return refused;
  }

 private:
  static absl::Status Named(const onnx::NodeProto& node, const absl::Status& status) {
    const std::string& name =
        node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
    return WithContext(status, absl::StrCat("node '", ForMessage(name), "' (",
                                            ForMessage(QualifiedOp(node)), ")"));
  }

  // The course of the node may still become known when other nodes have been inlined.
  absl::Status Waits(absl::string_view what) {
    waits_ = true;
    return absl::InvalidArgumentError(
        absl::StrCat(what,
                     " depends on data, or on shapes that the file leaves open; only control "
                     "flow that is fixed is supported: export the model for one course of it"));
  }

  absl::Status Inline(const onnx::NodeProto& node) {
    waits_ = false;
    // Copies that were made before a node turned out to wait are taken back.
    const int nodes = graph_.node_size();
    const int initializers = graph_.initializer_size();
    const int types = graph_.value_info_size();
    absl::Status status = QualifiedOp(node) == "If"     ? InlineIf(node)
                          : QualifiedOp(node) == "Loop" ? InlineLoop(node)
                                                        : InlineScan(node);
    if (status.ok()) return status;
    graph_.mutable_node()->DeleteSubrange(nodes, graph_.node_size() - nodes);
    graph_.mutable_initializer()->DeleteSubrange(initializers,
                                                 graph_.initializer_size() - initializers);
    graph_.mutable_value_info()->DeleteSubrange(types, graph_.value_info_size() - types);
    parts_.reset();
    return status;
  }

  absl::StatusOr<const onnx::GraphProto*> Body(const onnx::NodeProto& node, absl::string_view name,
                                               int inputs, int outputs) const {
    const onnx::GraphProto* body = SubGraphOf(node, name);
    if (body == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("has no sub-graph '", name, "'"));
    }
    if (body->input_size() != inputs || body->output_size() != outputs) {
      return absl::InvalidArgumentError(
          absl::StrCat("its sub-graph '", name, "' has ", body->input_size(), " inputs and ",
                       body->output_size(), " outputs; ", inputs, " and ", outputs, " are needed"));
    }
    if (body->sparse_initializer_size() > 0) {
      return absl::InvalidArgumentError("sparse initializers are not supported");
    }
    return body;
  }

  // --- Constants.

  // The scalar `value`, or the size of its axis `axis`.
  absl::StatusOr<std::optional<int64_t>> Constant(const std::string& value,
                                                  std::optional<int64_t> axis = std::nullopt) {
    if (!parts_) parts_.emplace(graph_);
    looks_ += 1000 + graph_.node_size();
    if (looks_ > kMostLooks) {
      return absl::InvalidArgumentError("the model has too much control flow");
    }
    std::optional<onnx::GraphProto> part;
    if (axis) {
      part.emplace();
      const auto type = parts_->TypeOf(value);
      if (!type) return std::optional<int64_t>();
      *part->add_input() = *type;
      AddNode(*part, "Shape", {value}, "shape of it");
      AddNumber(*part, "axis of it", *axis);
      AddNode(*part, "Gather", {"shape of it", "axis of it"}, "number");
    } else {
      part = parts_->Behind(value);
      if (!part) return std::optional<int64_t>();
      AddNode(*part, "Identity", {value}, "number");
    }
    onnx::AttributeProto* to = AddNode(*part, "Cast", {"number"}, "whole number")->add_attribute();
    to->set_name("to");
    to->set_type(onnx::AttributeProto::INT);
    to->set_i(onnx::TensorProto::INT64);
    part->add_output()->set_name("whole number");
    return find_(*part);
  }

  // --- Building.

  static onnx::NodeProto* AddNode(onnx::GraphProto& graph, const std::string& op,
                                  const std::vector<std::string>& inputs,
                                  const std::string& output) {
    onnx::NodeProto* node = graph.add_node();
    node->set_op_type(op);
    for (const std::string& input : inputs) node->add_input(input);
    node->add_output(output);
    return node;
  }

  static void AddNumber(onnx::GraphProto& graph, const std::string& name, int64_t number,
                        onnx::TensorProto::DataType type = onnx::TensorProto::INT64,
                        bool list = false) {
    onnx::TensorProto* tensor = graph.add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(type);
    if (list) tensor->add_dims(1);
    if (type == onnx::TensorProto::INT64) {
      tensor->add_int64_data(number);
    } else {
      tensor->add_int32_data(static_cast<int32_t>(number));
    }
  }

  std::string Prefix() { return absl::StrCat("inlined", next_++, "."); }

  // New names of all that the body makes in itself; of its initializers with `fixed`.
  static void NameInside(const onnx::GraphProto& body, const std::string& prefix,
                         const std::string& fixed, Names& names) {
    for (const onnx::NodeProto& node : body.node()) {
      for (const std::string& output : node.output()) {
        if (!output.empty()) names[output] = absl::StrCat(prefix, output);
      }
    }
    for (const onnx::TensorProto& tensor : body.initializer()) {
      names[tensor.name()] = absl::StrCat(fixed, tensor.name());
    }
  }

  void CopyInitializers(const onnx::GraphProto& body, const Names& names) {
    for (const onnx::TensorProto& tensor : body.initializer()) {
      onnx::TensorProto* copy = graph_.add_initializer();
      *copy = tensor;
      copy->set_name(Renamed(names, tensor.name()));
    }
  }

  absl::Status CopyNodes(const onnx::GraphProto& body, const Names& names) {
    bytes_ += static_cast<int64_t>(body.ByteSizeLong());
    if (bytes_ > kMostBytes || graph_.node_size() + body.node_size() > kMostNodes) {
      return absl::InvalidArgumentError(absl::StrCat("what it runs is more than ", kMostNodes,
                                                     " nodes or ", kMostBytes, " bytes"));
    }
    for (const onnx::NodeProto& node : body.node()) {
      onnx::NodeProto* copy = graph_.add_node();
      *copy = node;
      Scope(names).Rename(*copy);
    }
    for (const onnx::ValueInfoProto& info : body.value_info()) {
      onnx::ValueInfoProto* copy = graph_.add_value_info();
      *copy = info;
      copy->set_name(Renamed(names, info.name()));
    }
    parts_.reset();
    return absl::OkStatus();
  }

  void NameOutput(const onnx::NodeProto& node, int index, const std::string& value) {
    if (node.output(index).empty()) return;
    AddNode(graph_, "Identity", {value}, node.output(index));
  }

  // Joins what the iterations gave along a new axis.
  void StackOutput(const onnx::NodeProto& node, int index, std::vector<std::string> values,
                   int64_t axis) {
    if (node.output(index).empty()) return;
    const std::string prefix = Prefix();
    const std::string axes = absl::StrCat(prefix, "axes");
    constexpr int64_t kAxesAreInputs = 13;
    if (opset_ >= kAxesAreInputs) {
      AddNumber(graph_, axes, axis, onnx::TensorProto::INT64, /*list=*/true);
    }
    for (size_t i = 0; i < values.size(); ++i) {
      std::vector<std::string> inputs = {values[i]};
      if (opset_ >= kAxesAreInputs) inputs.push_back(axes);
      const std::string output = absl::StrCat(prefix, i);
      onnx::NodeProto* unsqueeze = AddNode(graph_, "Unsqueeze", inputs, output);
      if (opset_ < kAxesAreInputs) {
        onnx::AttributeProto* attribute = unsqueeze->add_attribute();
        attribute->set_name("axes");
        attribute->set_type(onnx::AttributeProto::INTS);
        attribute->add_ints(axis);
      }
      values[i] = output;
    }
    AddAxis(*AddNode(graph_, "Concat", values, node.output(index)), axis);
  }

  static void AddAxis(onnx::NodeProto& node, int64_t axis) {
    onnx::AttributeProto* attribute = node.add_attribute();
    attribute->set_name("axis");
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(axis);
  }

  // --- The three operators.

  absl::Status InlineIf(const onnx::NodeProto& node) {
    if (node.input_size() != 1) return absl::InvalidArgumentError("must have one input");
    QUANTRY_ASSIGN_OR_RETURN(const auto condition, Constant(node.input(0)));
    if (!condition) return Waits(absl::StrCat("its condition '", ForMessage(node.input(0)), "'"));
    QUANTRY_ASSIGN_OR_RETURN(
        const onnx::GraphProto* branch,
        Body(node, *condition != 0 ? "then_branch" : "else_branch", 0, node.output_size()));
    Names names;
    const std::string prefix = Prefix();
    NameInside(*branch, prefix, prefix, names);
    CopyInitializers(*branch, names);
    QUANTRY_RETURN_IF_ERROR(CopyNodes(*branch, names));
    for (int i = 0; i < node.output_size(); ++i) {
      NameOutput(node, i, Renamed(names, branch->output(i).name()));
    }
    return absl::OkStatus();
  }

  // How a Loop goes on after an iteration.
  absl::StatusOr<bool> GoesOn(const onnx::GraphProto& body, const std::string& value) {
    // Loops of a fixed number of iterations hand the condition on.
    std::string name = body.output(0).name();
    for (int steps = 0; steps < body.node_size() + 1; ++steps) {
      if (name == body.input(1).name()) return true;
      const auto producer =
          std::find_if(body.node().begin(), body.node().end(), [&](const onnx::NodeProto& one) {
            return one.op_type() == "Identity" && one.output_size() == 1 && one.output(0) == name;
          });
      if (producer == body.node().end() || producer->input_size() != 1) break;
      name = producer->input(0);
    }
    QUANTRY_ASSIGN_OR_RETURN(const auto condition, Constant(value));
    if (!condition) return Waits("whether it goes on after an iteration");
    return *condition != 0;
  }

  absl::Status InlineLoop(const onnx::NodeProto& node) {
    if (node.input_size() < 2) return absl::InvalidArgumentError("must have two inputs or more");
    const int carried_count = node.input_size() - 2;
    const int stacked_count = node.output_size() - carried_count;
    if (stacked_count < 0) return absl::InvalidArgumentError("has too few outputs");
    QUANTRY_ASSIGN_OR_RETURN(const onnx::GraphProto* body,
                             Body(node, "body", carried_count + 2, node.output_size() + 1));
    std::optional<int64_t> most = kMostIterations + 1;
    if (!node.input(0).empty()) {
      QUANTRY_ASSIGN_OR_RETURN(most, Constant(node.input(0)));
      if (!most)
        return Waits(absl::StrCat("its number of iterations '", ForMessage(node.input(0)), "'"));
    }
    bool goes_on = true;
    if (!node.input(1).empty()) {
      QUANTRY_ASSIGN_OR_RETURN(const auto condition, Constant(node.input(1)));
      if (!condition) return Waits(absl::StrCat("its condition '", ForMessage(node.input(1)), "'"));
      goes_on = *condition != 0;
    }
    std::vector<std::string> carried(node.input().begin() + 2, node.input().end());
    std::vector<std::vector<std::string>> stacked(static_cast<size_t>(stacked_count));
    const std::string fixed = Prefix();
    AddNumber(graph_, absl::StrCat(fixed, "true"), 1, onnx::TensorProto::BOOL);
    for (int64_t i = 0; i < *most && goes_on; ++i) {
      if (i == kMostIterations) return TooMany();
      const std::string prefix = Prefix();
      const std::string number = absl::StrCat(prefix, "iteration");
      AddNumber(graph_, number, i);
      Names names = {{body->input(0).name(), number},
                     {body->input(1).name(), absl::StrCat(fixed, "true")}};
      for (int k = 0; k < carried_count; ++k) {
        names[body->input(k + 2).name()] = carried[static_cast<size_t>(k)];
      }
      NameInside(*body, prefix, fixed, names);
      if (i == 0) CopyInitializers(*body, names);
      QUANTRY_RETURN_IF_ERROR(CopyNodes(*body, names));
      const auto output = [&](int k) { return Renamed(names, body->output(k).name()); };
      for (int k = 0; k < carried_count; ++k) carried[static_cast<size_t>(k)] = output(k + 1);
      for (int k = 0; k < stacked_count; ++k) {
        stacked[static_cast<size_t>(k)].push_back(output(k + 1 + carried_count));
      }
      QUANTRY_ASSIGN_OR_RETURN(goes_on, GoesOn(*body, output(0)));
    }
    return NameOutputs(node, carried, stacked, std::vector<int64_t>(stacked.size(), 0));
  }

  static absl::Status TooMany() {
    return absl::InvalidArgumentError(
        absl::StrCat("runs more than ", kMostIterations, " times; that many are not supported"));
  }

  absl::Status NameOutputs(const onnx::NodeProto& node, const std::vector<std::string>& carried,
                           const std::vector<std::vector<std::string>>& stacked,
                           const std::vector<int64_t>& axes) {
    const auto count = static_cast<int>(carried.size());
    for (int i = 0; i < count; ++i) NameOutput(node, i, carried[static_cast<size_t>(i)]);
    for (size_t i = 0; i < stacked.size(); ++i) {
      if (stacked[i].empty()) {
        return absl::InvalidArgumentError("never runs, which leaves the shape of an output open");
      }
      StackOutput(node, count + static_cast<int>(i), stacked[i], axes[i]);
    }
    return absl::OkStatus();
  }

  absl::Status InlineScan(const onnx::NodeProto& node) {
    constexpr int64_t kFirstOpset = 9;
    if (opset_ < kFirstOpset) {
      return absl::InvalidArgumentError("the form of opset 8 is not supported; 9 and later are");
    }
    int64_t scanned_count = 0;
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      if (attribute.name() == "num_scan_inputs") scanned_count = attribute.i();
    }
    if (scanned_count < 1 || scanned_count > node.input_size()) {
      return absl::InvalidArgumentError(absl::StrCat("attribute 'num_scan_inputs' is ",
                                                     scanned_count, "; allowed are 1 to ",
                                                     node.input_size(), ", the number of inputs"));
    }
    const int carried_count = node.input_size() - static_cast<int>(scanned_count);
    const int stacked_count = node.output_size() - carried_count;
    if (stacked_count < 0) return absl::InvalidArgumentError("has too few outputs");
    QUANTRY_ASSIGN_OR_RETURN(const onnx::GraphProto* body,
                             Body(node, "body", node.input_size(), node.output_size()));
    const auto axes = IntsOf(node, "scan_input_axes", scanned_count);
    const auto reversed = IntsOf(node, "scan_input_directions", scanned_count);
    QUANTRY_ASSIGN_OR_RETURN(const auto length, Constant(node.input(carried_count), axes[0]));
    if (!length) return Waits("the length of its first scanned input");
    if (*length > kMostIterations) return TooMany();
    std::vector<std::string> carried(node.input().begin(), node.input().begin() + carried_count);
    std::vector<std::vector<std::string>> stacked(static_cast<size_t>(stacked_count));
    const std::string fixed = Prefix();
    for (int64_t i = 0; i < *length; ++i) {
      const std::string prefix = Prefix();
      Names names;
      for (int k = 0; k < carried_count; ++k) {
        names[body->input(k).name()] = carried[static_cast<size_t>(k)];
      }
      for (int64_t k = 0; k < scanned_count; ++k) {
        const auto at = static_cast<size_t>(k);
        const int input = carried_count + static_cast<int>(k);
        const std::string index = absl::StrCat(prefix, "index", k);
        const std::string slice = absl::StrCat(prefix, "slice", k);
        AddNumber(graph_, index, reversed[at] != 0 ? *length - 1 - i : i);
        AddAxis(*AddNode(graph_, "Gather", {node.input(input), index}, slice), axes[at]);
        names[body->input(input).name()] = slice;
      }
      NameInside(*body, prefix, fixed, names);
      if (i == 0) CopyInitializers(*body, names);
      QUANTRY_RETURN_IF_ERROR(CopyNodes(*body, names));
      const auto output = [&](int k) { return Renamed(names, body->output(k).name()); };
      for (int k = 0; k < carried_count; ++k) carried[static_cast<size_t>(k)] = output(k);
      for (int k = 0; k < stacked_count; ++k) {
        stacked[static_cast<size_t>(k)].push_back(output(k + carried_count));
      }
    }
    const auto output_reversed = IntsOf(node, "scan_output_directions", stacked_count);
    for (size_t k = 0; k < stacked.size(); ++k) {
      if (output_reversed[k] != 0) std::reverse(stacked[k].begin(), stacked[k].end());
    }
    return NameOutputs(node, carried, stacked, IntsOf(node, "scan_output_axes", stacked_count));
  }

  const int64_t opset_;
  const ConstantFinder& find_;
  onnx::GraphProto& graph_;
  std::optional<GraphParts> parts_;  // of the graph as it is; empty after a change
  bool waits_ = false;
  int64_t next_ = 0;
  int64_t bytes_ = 0;
  int64_t looks_ = 0;
};

}  // namespace

absl::Status InlineControlFlow(int64_t opset, const ConstantFinder& find, onnx::GraphProto& graph) {
  return Inliner(opset, find, graph).Run();
}

}  // namespace quantry::engine
