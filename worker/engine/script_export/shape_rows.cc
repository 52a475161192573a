// Operators that move elements, and reductions.
#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "worker/engine/script_export/source_table.h"

namespace quantry::engine {
namespace {

using Ints = std::vector<int64_t>;

absl::StatusOr<std::string> Flatten(const SourceCall& call) {
  const int64_t axis = call.node().Int("axis", 1);
  const std::string x = call.Input(0);
  if (axis == 1) return absl::StrCat("torch.flatten(", x, ", 1)");
  if (axis == 0) return absl::StrCat("torch.reshape(", x, ", [1, -1])");
  return absl::StrCat("torch.flatten(torch.flatten(", x, ", ", axis, "), 0, ",
                      axis > 0 ? axis - 1 : -2, ")");
}

// Sizes of 0 are the input's.
absl::StatusOr<std::string> Reshape(const SourceCall& call) {
  QUANTRY_ASSIGN_OR_RETURN(const Ints sizes, call.Ints(1));
  const bool keeps = call.node().Int("allowzero", 0) == 0;
  std::vector<std::string> texts;
  for (size_t i = 0; i < sizes.size(); ++i) {
    texts.push_back(keeps && sizes[i] == 0 ? absl::StrCat(call.Input(0), ".size(", i, ")")
                                           : absl::StrCat(sizes[i]));
  }
  return absl::StrCat("torch.reshape(", call.Input(0), ", [", absl::StrJoin(texts, ", "), "])");
}

absl::StatusOr<std::string> Transpose(const SourceCall& call) {
  if (!call.node().HasAttribute("perm")) {
    return absl::StrCat("torch.permute(", call.Input(0), ", list(range(", call.Input(0),
                        ".dim()))[::-1])");
  }
  return absl::StrCat("torch.permute(", call.Input(0), ", ", Literal(call.node().Ints("perm")),
                      ")");
}

// `function(x, axis)` for each axis in turn. Axes of one sign keep their meaning in this order.
std::string ForEachAxis(const SourceCall& call, absl::string_view function, const Ints& axes) {
  std::string text = call.Input(0);
  for (const int64_t axis : axes) {
    text = absl::StrCat("torch.", function, "(", text, ", ", axis, ")");
  }
  return text;
}

absl::Status CheckOneSign(const Ints& axes) {
  const auto negative = [](int64_t axis) { return axis < 0; };
  if (std::all_of(axes.begin(), axes.end(), negative) ||
      std::none_of(axes.begin(), axes.end(), negative)) {
    return absl::OkStatus();
  }
  return absl::UnimplementedError(
      "axes counted from both ends at once are not written to TorchScript");
}

absl::StatusOr<std::string> Squeeze(const SourceCall& call) {
  if (!call.Has(1)) return absl::StrCat("torch.squeeze(", call.Input(0), ")");
  QUANTRY_ASSIGN_OR_RETURN(Ints axes, call.Ints(1));
  QUANTRY_RETURN_IF_ERROR(CheckOneSign(axes));
  // The last axis first where they count from the front, the first one first else.
  std::sort(axes.begin(), axes.end());
  if (!axes.empty() && axes[0] >= 0) std::reverse(axes.begin(), axes.end());
  return ForEachAxis(call, "squeeze", axes);
}

absl::StatusOr<std::string> Unsqueeze(const SourceCall& call) {
  QUANTRY_ASSIGN_OR_RETURN(Ints axes, call.Ints(1));
  QUANTRY_RETURN_IF_ERROR(CheckOneSign(axes));
  std::sort(axes.begin(), axes.end());
  if (!axes.empty() && axes[0] < 0) std::reverse(axes.begin(), axes.end());
  return ForEachAxis(call, "unsqueeze", axes);
}

absl::StatusOr<std::string> Concat(const SourceCall& call) {
  return absl::StrCat("torch.cat(", call.Inputs(), ", ", call.node().Int("axis", 0), ")");
}

absl::StatusOr<std::string> Split(const SourceCall& call) {
  const int64_t axis = call.node().Int("axis", 0);
  if (call.Has(1)) {
    QUANTRY_ASSIGN_OR_RETURN(const Ints sizes, call.Ints(1));
    return absl::StrCat("torch.split_with_sizes(", call.Input(0), ", ", Literal(sizes), ", ", axis,
                        ")");
  }
  return absl::StrCat("torch.chunk(", call.Input(0), ", ", call.node().outputs().size(), ", ", axis,
                      ")");
}

absl::StatusOr<std::string> Slice(const SourceCall& call) {
  QUANTRY_ASSIGN_OR_RETURN(const Ints starts, call.Ints(1));
  QUANTRY_ASSIGN_OR_RETURN(const Ints ends, call.Ints(2));
  Ints axes;
  for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  Ints steps(starts.size(), 1);
  if (call.Has(3)) {
    QUANTRY_ASSIGN_OR_RETURN(axes, call.Ints(3));
  }
  if (call.Has(4)) {
    QUANTRY_ASSIGN_OR_RETURN(steps, call.Ints(4));
  }
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size()) {
    return absl::InvalidArgumentError("starts, ends, axes and steps must have the same length");
  }
  std::string text = call.Input(0);
  for (size_t i = 0; i < starts.size(); ++i) {
    if (steps[i] <= 0) {
      return absl::UnimplementedError("steps below 1 are not written to TorchScript");
    }
    text = absl::StrCat("torch.slice(", text, ", ", axes[i], ", ", starts[i], ", ", ends[i], ", ",
                        steps[i], ")");
  }
  return text;
}

absl::StatusOr<std::string> Gather(const SourceCall& call) {
  QUANTRY_ASSIGN_OR_RETURN(const Ints indices, call.Ints(1));
  const Value* value = call.node().input(1);
  const int64_t axis = call.node().Int("axis", 0);
  if (value->tensor().dim() == 0) {
    return absl::StrCat("torch.select(", call.Input(0), ", ", axis, ", ", indices[0], ")");
  }
  const bool negative =
      std::any_of(indices.begin(), indices.end(), [](int64_t index) { return index < 0; });
  if (value->tensor().dim() != 1 || negative || value->tensor().scalar_type() != at::kLong) {
    return absl::UnimplementedError(
        "only a list of int64 indices from 0 on is written to TorchScript");
  }
  return absl::StrCat("torch.index_select(", call.Input(0), ", ", axis, ", ", call.Input(1), ")");
}

// ATen's list has the last axis first. All axes are given, or those from the end.
absl::StatusOr<std::string> Pad(const SourceCall& call) {
  QUANTRY_RETURN_IF_ERROR(call.Require("mode", "constant"));
  QUANTRY_ASSIGN_OR_RETURN(const Ints given, call.Ints(1));
  if (call.Has(3)) {
    return absl::UnimplementedError("padding of chosen axes is not written to TorchScript");
  }
  double value = 0;
  if (call.Has(2)) {
    QUANTRY_ASSIGN_OR_RETURN(value, call.Number(2));
  }
  Ints pads;
  for (size_t i = given.size() / 2; i-- > 0;) {
    pads.push_back(given[i]);
    pads.push_back(given[i + given.size() / 2]);
  }
  return absl::StrCat("torch.constant_pad_nd(", call.Input(0), ", ", Literal(pads), ", ",
                      Literal(value), ")");
}

// Nearest and linear resizing of pictures by constant scales, in the forms that torch exports.
absl::StatusOr<std::string> Resize(const SourceCall& call) {
  const std::string mode = call.node().String("mode", "nearest");
  const std::string places = call.node().String("coordinate_transformation_mode", "half_pixel");
  const Value* scales = call.node().input(2);
  const bool constant = scales != nullptr && scales->is_initializer() &&
                        scales->tensor().numel() == 4 && !call.Has(3);
  if (!constant) {
    return absl::UnimplementedError(
        "only pictures [N, C, H, W] with constant scales are written to TorchScript");
  }
  const at::Tensor factors = scales->tensor().to(at::kDouble).contiguous();
  const double* factor = factors.data_ptr<double>();
  if (factor[0] != 1 || factor[1] != 1) {
    return absl::UnimplementedError("resizing of batch or channels is not written to TorchScript");
  }
  const std::string tail = absl::StrCat("[", Literal(factor[2]), ", ", Literal(factor[3]), "])");
  if (mode == "nearest" && places == "asymmetric" &&
      call.node().String("nearest_mode", "round_prefer_floor") == "floor") {
    return absl::StrCat("torch.upsample_nearest2d(", call.Input(0), ", None, ", tail);
  }
  const bool corners = places == "align_corners";
  if (mode == "linear" && (corners || places == "half_pixel" || places == "pytorch_half_pixel")) {
    return absl::StrCat("torch.upsample_bilinear2d(", call.Input(0), ", None, ", Literal(corners),
                        ", ", tail);
  }
  return absl::UnimplementedError(absl::StrCat("mode \"", mode, "\" with places \"", places,
                                               "\" is not written to TorchScript"));
}

template <const char* kName>
absl::StatusOr<std::string> Reduce(const SourceCall& call) {
  Ints axes;
  if (call.Has(1)) {
    QUANTRY_ASSIGN_OR_RETURN(axes, call.Ints(1));
  }
  if (axes.empty() && call.node().Int("noop_with_empty_axes", 0) != 0) return call.Input(0);
  const std::string list =
      axes.empty() ? absl::StrCat("list(range(", call.Input(0), ".dim()))") : Literal(axes);
  return absl::StrCat("torch.", kName, "(", call.Input(0), ", ", list, ", ",
                      Literal(call.node().Int("keepdims", 1) != 0), ")");
}

constexpr char kMean[] = "mean", kSum[] = "sum", kAmax[] = "amax", kAmin[] = "amin";

constexpr SourceRow kRows[] = {
    {"Concat", Concat},
    {"Flatten", Flatten},
    {"Gather", Gather},
    {"Pad", Pad},
    {"ReduceMax", Reduce<kAmax>},
    {"ReduceMean", Reduce<kMean>},
    {"ReduceMin", Reduce<kAmin>},
    {"ReduceSum", Reduce<kSum>},
    {"Reshape", Reshape},
    {"Resize", Resize},
    {"Slice", Slice},
    {"Split", Split, /*is_list=*/true},
    {"Squeeze", Squeeze},
    {"Transpose", Transpose},
    {"Unsqueeze", Unsqueeze},
};

}  // namespace

absl::Span<const SourceRow> ShapeSourceRows() { return kRows; }

}  // namespace quantry::engine
