#include "worker/engine/script/lowering.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "worker/engine/ops/operator.h"
#include "worker/engine/script/tensor_bounds.h"

namespace quantry::engine {
namespace {

constexpr std::array<absl::string_view, 8> kKeepShape = {"BatchNormalization",
                                                         "Dropout",
                                                         "HardSigmoid",
                                                         "HardSwish",
                                                         "Relu",
                                                         "Sigmoid",
                                                         "Softmax",
                                                         "Tanh"};

// Of this shape and type, without memory of its own.
at::Tensor Placeholder(at::IntArrayRef sizes, at::ScalarType dtype) {
  return at::zeros({}, dtype).expand(sizes);
}

at::Tensor ConvolvedShape(const Node& node, const std::vector<at::Tensor>& inputs) {
  const at::Tensor& x = inputs[0];
  const at::Tensor& weight = inputs[1];
  TORCH_CHECK(x.dim() == weight.dim(), "the input has ", x.dim(), " dimensions, the weight ",
              weight.dim());
  const auto pads = node.Ints("pads");
  const auto strides = node.Ints("strides");
  const auto dilations = node.Ints("dilations");
  const auto spatial = static_cast<size_t>(x.dim()) - 2;
  TORCH_CHECK(
      pads.size() == 2 * spatial && strides.size() == spatial && dilations.size() == spatial,
      "strides, padding or dilation have the wrong length");
  TORCH_CHECK(x.size(1) == weight.size(1) * node.Int("group", 1), "the input has ", x.size(1),
              " channels, the weight is for ", weight.size(1) * node.Int("group", 1));
  std::vector<int64_t> sizes = {x.size(0), weight.size(0)};
  for (size_t i = 0; i < spatial; ++i) {
    const auto axis = static_cast<int64_t>(i) + 2;
    const int64_t reach = dilations[i] * (weight.size(axis) - 1) + 1;
    const int64_t room = x.size(axis) + pads[i] + pads[i + spatial] - reach;
    TORCH_CHECK(room >= 0 && strides[i] > 0, "the kernel is larger than the input");
    sizes.push_back(room / strides[i] + 1);
  }
  return Placeholder(sizes, x.scalar_type());
}

std::vector<at::Tensor> ShapesOf(const Node& node, const OperatorDef& def,
                                 const std::vector<at::Tensor>& inputs) {
  if (std::find(kKeepShape.begin(), kKeepShape.end(), node.op()) != kKeepShape.end()) {
    return {inputs[0]};
  }
  if (node.op() == "Conv") return {ConvolvedShape(node, inputs)};
  return def.evaluate(node, inputs, EvaluateContext{});
}

// A layer is called like the module that has its weight.
std::string NodeName(const std::string& op, const std::vector<Operand>& inputs) {
  for (const Operand& input : inputs) {
    if (input.value == nullptr || !input.value->is_initializer()) continue;
    const std::string& name = input.value->name();
    if (absl::EndsWith(name, ".weight")) return name.substr(0, name.rfind('.'));
  }
  return absl::AsciiStrToLower(op);
}

}  // namespace

void Lowering::NameTensor(const at::Tensor& tensor, const std::string& name, bool parameter) {
  if (tensor.defined()) names_.emplace(tensor.unsafeGetTensorImpl(), Name{name, parameter});
}

Operand Lowering::Register(Value* value, std::array<at::Tensor, kLanes> shapes) {
  Operand operand{value, {}};
  Entry entry{.value = value};
  for (size_t i = 0; i < kLanes; ++i) {
    operand.lanes[i] = Placeholder(shapes[i].sizes(), shapes[i].scalar_type());
    alive_.push_back(operand.lanes[i]);
    entries_[operand.lanes[i].unsafeGetTensorImpl()] = entry;
  }
  std::vector<Dimension> sizes;
  for (int64_t axis = 0; axis < operand.rank(); ++axis) {
    const int64_t size = operand.lanes[0].size(axis);
    sizes.push_back(size == operand.lanes[1].size(axis) ? Dimension(size) : std::nullopt);
  }
  value->type = ValueType{operand.lanes[0].scalar_type(), std::move(sizes)};
  return operand;
}

Operand Lowering::AddInput(const std::string& name, const std::vector<int64_t>& shape) {
  std::array<at::Tensor, kLanes> shapes;
  for (size_t i = 0; i < kLanes; ++i) {
    std::vector<int64_t> sizes = {kLaneBatch[i]};
    sizes.insert(sizes.end(), shape.begin(), shape.end());
    shapes[i] = Placeholder(sizes, at::kFloat);
  }
  const Operand input = Register(graph_.AddInput(name, {}), shapes);
  if (input_.value == nullptr) input_ = input;
  return input;
}

bool Lowering::IsComputed(const at::Tensor& tensor) const {
  return entries_.contains(tensor.unsafeGetTensorImpl());
}

bool Lowering::IsPlain(const at::Tensor& tensor) const {
  return !IsComputed(tensor) && !names_.contains(tensor.unsafeGetTensorImpl());
}

Operand Lowering::OperandOf(const Lanes& tensor) {
  const at::Tensor first = tensor[0].toTensor();
  const at::Tensor second = tensor[1].toTensor();
  const auto found = entries_.find(first.unsafeGetTensorImpl());
  if (found != entries_.end()) {
    const Entry& entry = found->second;
    TORCH_CHECK(entry.seen == *entry.version,
                "uses a view of a tensor that was changed in place since");
    return {entry.value, {first, second}};
  }
  CheckBounds(first);
  CheckBounds(second);
  TORCH_CHECK(first.is_same(second) || first.equal(second), "a constant depends on the batch size");
  const auto named = names_.find(first.unsafeGetTensorImpl());
  if (named == names_.end()) return Constant(first);
  Value* value = graph_.AddInitializer(
      named->second.name, first.detach(),
      named->second.parameter ? InitializerRole::kParameter : InitializerRole::kConstant);
  entries_[first.unsafeGetTensorImpl()] = Entry{.value = value};
  return {value, {first, second}};
}

Operand Lowering::Constant(const at::Tensor& tensor) {
  Value* value =
      graph_.AddInitializer("constant", tensor.detach().contiguous(), InitializerRole::kConstant);
  alive_.push_back(tensor);
  return {value, {tensor, tensor}};
}

Operand Lowering::Emit(const std::string& op, const std::vector<Operand>& inputs,
                       AttributeMap attributes) {
  return EmitMany(op, inputs, std::move(attributes), 1).front();
}

std::vector<Operand> Lowering::EmitMany(const std::string& op, const std::vector<Operand>& inputs,
                                        AttributeMap attributes, size_t count) {
  std::vector<Value*> values;
  for (const Operand& input : inputs) values.push_back(input.value);
  while (!values.empty() && values.back() == nullptr) values.pop_back();
  const OperatorDef* def = FindOperator(op);
  TORCH_CHECK(def != nullptr, "needs the operator '", op, "', which is not supported");
  const Node* node = graph_.AddNode(op, NodeName(op, inputs), values, std::move(attributes),
                                    std::vector<std::string>(count));
  const absl::Status status = VerifyOperator(*node, *def);
  TORCH_CHECK(status.ok(), op, ": ", std::string(status.message()));
  std::array<std::vector<at::Tensor>, kLanes> shapes;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    std::vector<at::Tensor> tensors;
    for (size_t i = 0; i < values.size(); ++i) tensors.push_back(inputs[i].lanes[lane]);
    shapes[lane] = ShapesOf(*node, *def, tensors);
    TORCH_CHECK(shapes[lane].size() == count, op, " gives ", shapes[lane].size(), " outputs");
  }
  std::vector<Operand> outputs;
  for (size_t i = 0; i < count; ++i) {
    outputs.push_back(Register(node->output(i), {shapes[0][i], shapes[1][i]}));
  }
  return outputs;
}

Operand Lowering::EmitShaped(const std::string& op, const std::vector<Operand>& inputs,
                             const std::array<at::Tensor, kLanes>& shapes) {
  const OperatorDef* def = FindOperator(op);
  TORCH_CHECK(def != nullptr, "needs the operator '", op, "', which is not supported");
  std::vector<Value*> values;
  for (const Operand& input : inputs) values.push_back(input.value);
  const Node* node = graph_.AddNode(op, NodeName(op, inputs), values);
  return Register(node->output(), shapes);
}

Operand Lowering::Sizes(const std::array<std::vector<int64_t>, kLanes>& sizes) {
  if (sizes[0] == sizes[1]) return Constant(at::tensor(sizes[0], at::kLong));
  TORCH_CHECK(input_.rank() > 0, "sizes depend on a batch that no input has");
  const Operand zero = Constant(at::zeros({1}, at::kLong));
  const Operand batch = Emit("Gather", {Emit("Shape", {input_}), zero}, {{"axis", int64_t{0}}});
  std::vector<Operand> parts;
  for (size_t i = 0; i < sizes[0].size(); ++i) {
    const int64_t size = sizes[0][i];
    if (size == sizes[1][i]) {
      parts.push_back(Constant(at::full({1}, size, at::kLong)));
      continue;
    }
    const int64_t times = size / kLaneBatch[0];
    TORCH_CHECK(size == times * kLaneBatch[0] && sizes[1][i] == times * kLaneBatch[1],
                "a size depends on the batch size, but not as a multiple of it");
    parts.push_back(times == 1 ? batch
                               : Emit("Mul", {batch, Constant(at::full({1}, times, at::kLong))}));
  }
  return Emit("Concat", parts, {{"axis", int64_t{0}}});
}

Operand Lowering::WithPart(const Slice& slice, const Operand& base, const Operand& part) {
  const auto cut = [&](int64_t start, int64_t end) {
    const auto constant = [&](int64_t value) { return Constant(at::full({1}, value, at::kLong)); };
    return Emit("Slice", {base, constant(start), constant(end), constant(slice.axis)});
  };
  std::vector<Operand> parts;
  if (slice.start > 0) parts.push_back(cut(0, slice.start));
  parts.push_back(part);
  const int64_t size = base.lanes[0].size(slice.axis);
  if (slice.end < size) parts.push_back(cut(slice.end, size));
  return Emit("Concat", parts, {{"axis", slice.axis}});
}

Lanes Lowering::Overwrite(const Lanes& self, const Operand& result) {
  const auto slice = slices_.find(self[0].toTensor().unsafeGetTensorImpl());
  if (slice != slices_.end()) {
    // The slice itself must not be read any more: it is a view of what is changed.
    const Slice place = slice->second;
    Overwrite(place.base, WithPart(place, OperandOf(place.base), result));
    return self;
  }
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const at::Tensor tensor = self[lane].toTensor();
    if (IsPlain(tensor)) {
      TORCH_CHECK(tensor.storage().use_count() == 1, "changes a constant that is seen elsewhere");
      entries_[tensor.unsafeGetTensorImpl()] = Entry{.value = result.value};
      alive_.push_back(tensor);
      continue;
    }
    const auto found = entries_.find(tensor.unsafeGetTensorImpl());
    TORCH_CHECK(found != entries_.end() && !found->second.value->is_initializer(),
                "changes a parameter or constant in place");
    TORCH_CHECK(result.lanes[lane].sizes() == tensor.sizes(),
                "changes the shape of a tensor in place");
    TORCH_CHECK(result.dtype() == tensor.scalar_type(), "changes a tensor of ",
                tensor.scalar_type(), " in place into one of ", result.dtype());
    Entry& entry = found->second;
    entry.value = result.value;
    if (lane == 0) ++*entry.version;
    entry.seen = *entry.version;
  }
  return self;
}

void Lowering::MarkView(const Operand& view, const Lanes& base) {
  const auto found = entries_.find(base[0].toTensor().unsafeGetTensorImpl());
  if (found == entries_.end()) return;
  const auto version = found->second.version;
  const int64_t seen = found->second.seen;
  for (const at::Tensor& lane : view.lanes) {
    Entry& entry = entries_.at(lane.unsafeGetTensorImpl());
    entry.version = version;
    entry.seen = seen;
  }
}

void Lowering::MarkSlice(const Operand& view, const Lanes& base, int64_t axis, int64_t start,
                         int64_t end) {
  slices_[view.lanes[0].unsafeGetTensorImpl()] = {base, axis, start, end};
}

Lanes Lowering::ToLanes(const Operand& operand) const {
  return {operand.lanes[0], operand.lanes[1]};
}

}  // namespace quantry::engine
