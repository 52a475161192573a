#ifndef QUANTRY_WORKER_ENGINE_SCRIPT_PLAIN_OPERATORS_H_
#define QUANTRY_WORKER_ENGINE_SCRIPT_PLAIN_OPERATORS_H_

#include <ATen/core/stack.h>

#include <optional>

#include "absl/strings/string_view.h"

namespace quantry::engine {

// What a TorchScript program may compute while it is lowered. Nothing else is run: a file must not
// reach the file system or allocate at will.

// What is asked of the process and not of a value, and of the devices and kinds of tensors that the
// engine has only one of ("aten::is_grad_enabled": true, so that no short cuts of inference are
// taken). Empty: `op` is something else.
std::optional<bool> FixedAnswer(absl::string_view op);

// Operators on numbers, lists and strings, and what can be asked of a tensor's shape and type.
bool IsPlainOperator(absl::string_view op);

// Of those, what is asked of a tensor and never looks at its elements.
bool AsksShape(absl::string_view op);

// Takes a number out of a tensor ("aten::Bool", "aten::item").
bool AsksValue(absl::string_view op);

// What may be computed at once where no tensor takes part but those that numbers alone have made:
// masks, positions.
bool RunsOnConstants(absl::string_view op);

// Makes a tensor of numbers alone ("aten::zeros", "aten::arange").
bool MakesConstant(absl::string_view op);

// Throws c10::Error where `op`, one that makes a constant, is asked for too large a tensor.
void CheckConstantSize(absl::string_view op, const torch::jit::Stack& stack);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_SCRIPT_PLAIN_OPERATORS_H_
