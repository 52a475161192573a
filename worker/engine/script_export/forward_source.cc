#include "worker/engine/script_export/forward_source.h"

#include <ATen/ATen.h>

#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "worker/engine/export/checked_qparams.h"
#include "worker/engine/ops/fake_quantize.h"
#include "worker/engine/ops/observe_output.h"
#include "worker/engine/quant/qparams.h"
#include "worker/engine/script_export/source_table.h"

namespace quantry::engine {
namespace {

// Writes one function, node by node in topological order.
class Writer {
 public:
  absl::StatusOr<ForwardSource> Write(const Graph& graph) {
    QUANTRY_ASSIGN_OR_RETURN(const std::vector<Node*> order, graph.TopologicalOrder());
    std::vector<std::string> parameters = {"self"};
    for (const Value* input : graph.inputs()) {
      parameters.push_back(absl::StrCat(DefineLocal(input), ": Tensor"));
    }
    absl::StrAppend(&source_.code, "def forward(", absl::StrJoin(parameters, ", "), "):\n");
    for (const Node* node : order) {
      if (node->op() == kObserveOutputOp) continue;  // nothing reads what it puts out
      const bool quantizer = node->op() == kFakeQuantizeOp;
      QUANTRY_RETURN_IF_ERROR(
          WithContext(quantizer ? AddQuantizer(*node) : AddNode(*node),
                      absl::StrCat("node '", node->name(), "' (", node->op(), ")")));
    }
    std::vector<std::string> results;
    for (const Value* output : graph.outputs()) results.push_back(Expression(output));
    absl::StrAppend(&source_.code, "  return ", absl::StrJoin(results, ", "), "\n");
    return std::move(source_);
  }

 private:
  // An identifier that nothing else has. TorchScript's keywords don't end in "_".
  std::string NewName(absl::string_view wanted, absl::string_view prefix) {
    std::string name(prefix);
    for (const char c : wanted) {
      name += absl::ascii_isalnum(static_cast<unsigned char>(c)) ? c : '_';
    }
    const bool starts_well =
        !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name.front()));
    if (!starts_well) name = absl::StrCat("_", name);
    std::string candidate = name;
    for (int suffix = 1; !names_.insert(candidate).second; ++suffix) {
      candidate = absl::StrCat(name, "_", suffix);
    }
    return candidate;
  }

  std::string DefineLocal(const Value* value) {
    return expressions_[value] = NewName(value->name(), "v_");
  }

  std::string AddTensor(absl::string_view wanted, const at::Tensor& tensor, bool is_parameter) {
    const std::string name = NewName(wanted, "");
    source_.tensors.push_back({.name = name, .tensor = tensor, .is_parameter = is_parameter});
    return absl::StrCat("self.", name);
  }

  // Initializers become tensors of the module where they are first read.
  std::string Expression(const Value* value) {
    const auto found = expressions_.find(value);
    if (found != expressions_.end()) return found->second;
    return expressions_[value] = AddTensor(value->name(), value->tensor(),
                                           value->role() == InitializerRole::kParameter);
  }

  void AddLine(absl::string_view target, absl::string_view expression) {
    absl::StrAppend(&source_.code, "  ", target, " = ", expression, "\n");
  }

  absl::Status AddNode(const Node& node) {
    const SourceRow* row = FindSourceRow(node.op());
    if (row == nullptr) {
      return absl::UnimplementedError("this operator is not written to TorchScript");
    }
    const SourceCall call(node, [this](const Value* value) { return Expression(value); });
    QUANTRY_ASSIGN_OR_RETURN(const std::string expression, row->write(call));
    if (node.outputs().size() == 1 && !row->is_list) {
      AddLine(DefineLocal(node.output()), expression);
      return absl::OkStatus();
    }
    if (!row->is_list) {
      return absl::UnimplementedError("only its first output is written to TorchScript");
    }
    const std::string list = NewName(node.name(), "list_");
    AddLine(list, expression);
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      AddLine(DefineLocal(node.output(i)), absl::StrCat(list, "[", i, "]"));
    }
    return absl::OkStatus();
  }

  absl::Status AddQuantizer(const Node& node) {
    QUANTRY_ASSIGN_OR_RETURN(const QParams qparams, CheckedQParams(node));
    const Value* x = node.input(kFakeQuantizeX);
    const int64_t axis = SpecOf(node).axis;
    if (qparams.mapping != Mapping::kNone) return AddMappedWeight(node, qparams, axis);
    const auto add = [&](absl::string_view suffix, const at::Tensor& values) {
      const at::Tensor shaped =
          axis < 0 ? values : BroadcastAlong(values, x->tensor(), axis).contiguous();
      return AddTensor(absl::StrCat(x->name(), suffix), shaped, /*is_parameter=*/false);
    };
    const std::string step = add("_step", qparams.step);
    std::string steps =
        absl::StrCat("torch.minimum(torch.maximum(", Expression(x), ", ", add("_low", qparams.low),
                     "), ", add("_high", qparams.high), ")");
    if (qparams.rounding != Rounding::kHalfToEven && qparams.span.defined()) {
      absl::StrAppend(&steps, " * ", Literal(qparams.levels), " / ", add("_span", qparams.span));
    } else {
      absl::StrAppend(&steps, " / ", step);
    }
    const std::string rounded = AddRounding(steps, qparams.rounding);
    AddLine(DefineLocal(node.output()), absl::StrCat(rounded, " * ", step));
    return absl::OkStatus();
  }

  std::string AddRounding(const std::string& steps, Rounding rounding) {
    if (rounding == Rounding::kHalfToEven) return absl::StrCat("torch.round(", steps, ")");
    const std::string value = NewName("steps", "t_");
    const std::string magnitude = NewName("magnitude", "t_");
    const std::string whole = NewName("whole", "t_");
    AddLine(value, steps);
    AddLine(magnitude, absl::StrCat("torch.abs(", value, ")"));
    AddLine(whole, absl::StrCat("torch.floor(", magnitude, ")"));
    return absl::StrCat("torch.copysign(torch.where(", magnitude, " - ", whole, " >= 0.5, ", whole,
                        " + 1, ", whole, "), ", value, ")");
  }

  // A weight that is mapped before it is quantized is written as what comes out.
  absl::Status AddMappedWeight(const Node& node, const QParams& qparams, int64_t axis) {
    const Value* weight = node.input(kFakeQuantizeX);
    if (!weight->is_initializer()) {
      return absl::UnimplementedError("only weights are mapped when written to TorchScript");
    }
    const at::Tensor integers =
        QuantizeToIntegers(weight->tensor().detach().cpu(), qparams, axis) - qparams.zero_point;
    const at::Tensor values =
        integers.to(at::kFloat) * BroadcastAlong(qparams.step, weight->tensor(), axis);
    AddLine(DefineLocal(node.output()),
            AddTensor(absl::StrCat(weight->name(), "_quantized"), values, /*is_parameter=*/false));
    return absl::OkStatus();
  }

  ForwardSource source_;
  std::set<std::string> names_ = {"self", "training"};
  std::map<const Value*, std::string> expressions_;
};

}  // namespace

absl::StatusOr<ForwardSource> WriteForward(const Graph& graph) { return Writer().Write(graph); }

}  // namespace quantry::engine
