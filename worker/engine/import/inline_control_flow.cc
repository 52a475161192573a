#include "worker/engine/import/inline_control_flow.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/import/add_nodes.h"
#include "worker/engine/import/known_numbers.h"
#include "worker/engine/import/onnx_text.h"
#include "worker/engine/import/parse_model.h"
#include "worker/engine/import/sub_graph_copier.h"
#include "worker/engine/import/sub_graph_names.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMostIterations = 4096;

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

class Inliner {
 public:
  Inliner(int64_t opset, const ConstantFinder& find, onnx::GraphProto& graph)
      : opset_(opset), graph_(graph), known_(find, graph), copier_(opset, graph) {}

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
        known_.Forget();
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
    const SubGraphCopier::Mark before = copier_.Now();
    absl::Status status = QualifiedOp(node) == "If"     ? InlineIf(node)
                          : QualifiedOp(node) == "Loop" ? InlineLoop(node)
                                                        : InlineScan(node);
    if (status.ok()) return status;
    // Copies that were made before a node turned out to wait are taken back.
    copier_.TakeBack(before);
    known_.Forget();
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

  absl::Status Copy(const onnx::GraphProto& body, const Names& names) {
    known_.Forget();
    return copier_.CopyNodes(body, names);
  }

  absl::Status InlineIf(const onnx::NodeProto& node) {
    if (node.input_size() != 1) return absl::InvalidArgumentError("must have one input");
    QUANTRY_ASSIGN_OR_RETURN(const auto condition, known_.Scalar(node.input(0)));
    if (!condition) return Waits(absl::StrCat("its condition '", ForMessage(node.input(0)), "'"));
    QUANTRY_ASSIGN_OR_RETURN(
        const onnx::GraphProto* branch,
        Body(node, *condition != 0 ? "then_branch" : "else_branch", 0, node.output_size()));
    Names names;
    const std::string prefix = copier_.Prefix();
    NameInside(*branch, prefix, prefix, names);
    copier_.CopyInitializers(*branch, names);
    QUANTRY_RETURN_IF_ERROR(Copy(*branch, names));
    for (int i = 0; i < node.output_size(); ++i) {
      copier_.NameOutput(node, i, Renamed(names, branch->output(i).name()));
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
    QUANTRY_ASSIGN_OR_RETURN(const auto condition, known_.Scalar(value));
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
      QUANTRY_ASSIGN_OR_RETURN(most, known_.Scalar(node.input(0)));
      if (!most)
        return Waits(absl::StrCat("its number of iterations '", ForMessage(node.input(0)), "'"));
    }
    bool goes_on = true;
    if (!node.input(1).empty()) {
      QUANTRY_ASSIGN_OR_RETURN(const auto condition, known_.Scalar(node.input(1)));
      if (!condition) return Waits(absl::StrCat("its condition '", ForMessage(node.input(1)), "'"));
      goes_on = *condition != 0;
    }
    std::vector<std::string> carried(node.input().begin() + 2, node.input().end());
    std::vector<std::vector<std::string>> stacked(static_cast<size_t>(stacked_count));
    const std::string fixed = copier_.Prefix();
    AddTrue(graph_, absl::StrCat(fixed, "true"));
    for (int64_t i = 0; i < *most && goes_on; ++i) {
      if (i == kMostIterations) return TooMany();
      const std::string prefix = copier_.Prefix();
      const std::string number = absl::StrCat(prefix, "iteration");
      AddNumber(graph_, number, i);
      Names names = {{body->input(0).name(), number},
                     {body->input(1).name(), absl::StrCat(fixed, "true")}};
      for (int k = 0; k < carried_count; ++k) {
        names[body->input(k + 2).name()] = carried[static_cast<size_t>(k)];
      }
      NameInside(*body, prefix, fixed, names);
      if (i == 0) copier_.CopyInitializers(*body, names);
      QUANTRY_RETURN_IF_ERROR(Copy(*body, names));
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
    for (int i = 0; i < count; ++i) copier_.NameOutput(node, i, carried[static_cast<size_t>(i)]);
    for (size_t i = 0; i < stacked.size(); ++i) {
      if (stacked[i].empty()) {
        return absl::InvalidArgumentError("never runs, which leaves the shape of an output open");
      }
      copier_.StackOutput(node, count + static_cast<int>(i), stacked[i], axes[i]);
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
    QUANTRY_ASSIGN_OR_RETURN(const auto length, known_.Size(node.input(carried_count), axes[0]));
    if (!length) return Waits("the length of its first scanned input");
    if (*length > kMostIterations) return TooMany();
    std::vector<std::string> carried(node.input().begin(), node.input().begin() + carried_count);
    std::vector<std::vector<std::string>> stacked(static_cast<size_t>(stacked_count));
    const std::string fixed = copier_.Prefix();
    for (int64_t i = 0; i < *length; ++i) {
      const std::string prefix = copier_.Prefix();
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
        AddIntAttribute(*AddNode(graph_, "Gather", {node.input(input), index}, slice), "axis",
                        axes[at]);
        names[body->input(input).name()] = slice;
      }
      NameInside(*body, prefix, fixed, names);
      if (i == 0) copier_.CopyInitializers(*body, names);
      QUANTRY_RETURN_IF_ERROR(Copy(*body, names));
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
  onnx::GraphProto& graph_;
  KnownNumbers known_;
  SubGraphCopier copier_;
  bool waits_ = false;
};

}  // namespace

bool IsControlFlow(const onnx::NodeProto& node) {
  const std::string op = QualifiedOp(node);
  return op == "If" || op == "Loop" || op == "Scan";
}

absl::Status InlineControlFlow(int64_t opset, const ConstantFinder& find, onnx::GraphProto& graph) {
  return Inliner(opset, find, graph).Run();
}

}  // namespace quantry::engine
