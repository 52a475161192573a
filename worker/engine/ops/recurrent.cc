#include "worker/engine/ops/recurrent.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "worker/engine/ops/arguments.h"
#include "worker/engine/ops/checks.h"
#include "worker/engine/ops/forms.h"

namespace quantry::engine {
namespace {

enum class Parameters { kNone = 0, kAlpha = 1, kAlphaAndBeta = 2 };

struct ActivationKind {
  absl::string_view name;
  Parameters parameters;
  double alpha;  // where the file does not say
  double beta;
  at::Tensor (*f)(const at::Tensor& x, double alpha, double beta);
};

const std::array<ActivationKind, 11>& ActivationKinds() {
  using T = const at::Tensor&;
  static const std::array<ActivationKind, 11> kKinds = {{
      {"affine", Parameters::kAlphaAndBeta, 1.0, 0.0,
       [](T x, double a, double b) { return at::add(at::mul(x, a), b); }},
      {"elu", Parameters::kAlpha, 1.0, 0.0, [](T x, double a, double) { return at::elu(x, a); }},
      {"hardsigmoid", Parameters::kAlphaAndBeta, 0.2, 0.5,
       [](T x, double a, double b) { return at::clamp(at::add(at::mul(x, a), b), 0, 1); }},
      {"leakyrelu", Parameters::kAlpha, 0.01, 0.0,
       [](T x, double a, double) { return at::leaky_relu(x, a); }},
      {"relu", Parameters::kNone, 0.0, 0.0, [](T x, double, double) { return at::relu(x); }},
      {"scaledtanh", Parameters::kAlphaAndBeta, 1.0, 1.0,
       [](T x, double a, double b) { return at::mul(at::tanh(at::mul(x, b)), a); }},
      {"sigmoid", Parameters::kNone, 0.0, 0.0, [](T x, double, double) { return at::sigmoid(x); }},
      {"softplus", Parameters::kNone, 0.0, 0.0,
       [](T x, double, double) { return at::softplus(x); }},
      {"softsign", Parameters::kNone, 0.0, 0.0,
       [](T x, double, double) { return at::div(x, at::add(at::abs(x), 1)); }},
      {"tanh", Parameters::kNone, 0.0, 0.0, [](T x, double, double) { return at::tanh(x); }},
      {"thresholdedrelu", Parameters::kAlpha, 1.0, 0.0,
       [](T x, double a, double) { return at::threshold(x, a, 0); }},
  }};
  return kKinds;
}

const ActivationKind* FindActivation(const std::string& name) {
  for (const ActivationKind& kind : ActivationKinds()) {
    if (kind.name == absl::AsciiStrToLower(name)) return &kind;
  }
  return nullptr;
}

template <typename T>
T ListOf(const Node& node, const char* name, T fallback) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? fallback : std::get<T>(found->second);
}

int64_t DirectionsOf(const Node& node) {
  return node.String("direction", "forward") == "bidirectional" ? 2 : 1;
}

// The activations of all directions in a row. alpha and beta stand only for those that take them.
std::vector<CellActivation> ActivationsOf(const Node& node, const CellKind& kind) {
  std::vector<std::string> names = kind.activations;
  if (DirectionsOf(node) == 2) {
    names.insert(names.end(), kind.activations.begin(), kind.activations.end());
  }
  names = ListOf(node, "activations", std::move(names));
  const auto alphas = ListOf<std::vector<float>>(node, "activation_alpha", {});
  const auto betas = ListOf<std::vector<float>>(node, "activation_beta", {});
  size_t alpha = 0, beta = 0;
  std::vector<CellActivation> activations;
  for (const std::string& name : names) {
    const ActivationKind* found = FindActivation(name);
    TORCH_CHECK(found != nullptr, "unknown activation");
    CellActivation activation{std::string(found->name), found->alpha, found->beta};
    if (found->parameters != Parameters::kNone && alpha < alphas.size()) {
      activation.alpha = DecimalOf(alphas[alpha++]);
    }
    if (found->parameters == Parameters::kAlphaAndBeta && beta < betas.size()) {
      activation.beta = DecimalOf(betas[beta++]);
    }
    activations.push_back(std::move(activation));
  }
  return activations;
}

// The tensors of a layer as the file gives them, time first.
struct Layer {
  at::Tensor x;           // [time, batch, input]
  at::Tensor weights;     // [directions, gates * hidden, input]
  at::Tensor recurrence;  // [directions, gates * hidden, hidden]
  at::Tensor bias;        // [directions, 2 * gates * hidden], or undefined
  at::Tensor valid;       // [time, batch, 1]: within the sequence; undefined: all are
  at::Tensor hidden;      // [directions, batch, hidden]
  at::Tensor cell;        // the same, or undefined
  at::Tensor peepholes;   // [directions, 3 * hidden], or undefined
};

void CheckSizes(const char* what, const at::Tensor& tensor, at::IntArrayRef sizes) {
  TORCH_CHECK(!tensor.defined() || tensor.sizes() == sizes, what, " is ", tensor.sizes(),
              " instead of ", sizes);
}

at::Tensor InitialState(const at::Tensor& given, const at::Tensor& like, bool batch_first,
                        at::IntArrayRef sizes) {
  if (!given.defined()) return at::zeros(sizes, like.options());
  const at::Tensor state = batch_first ? given.transpose(0, 1) : given;
  CheckSizes("an initial state", state, sizes);
  return state;
}

Layer LayerOf(const Node& node, absl::Span<const at::Tensor> inputs, const CellKind& kind) {
  TORCH_CHECK(inputs[0].dim() == 3 && inputs[2].dim() == 3, "x and R must have 3 dimensions");
  const bool batch_first = node.Int("layout", 0) == 1;
  Layer layer{.x = batch_first ? inputs[0].transpose(0, 1) : inputs[0],
              .weights = inputs[1],
              .recurrence = inputs[2],
              .bias = InputOr(inputs, 3),
              .peepholes = InputOr(inputs, 7)};
  const int64_t hidden = layer.recurrence.size(2);
  const int64_t directions = DirectionsOf(node);
  const int64_t time = layer.x.size(0);
  const int64_t batch = layer.x.size(1);
  TORCH_CHECK(node.Int("hidden_size", hidden) == hidden, "hidden_size is ",
              node.Int("hidden_size", hidden), ", R has ", hidden);
  CheckSizes("W", layer.weights, {directions, kind.gates * hidden, layer.x.size(2)});
  CheckSizes("R", layer.recurrence, {directions, kind.gates * hidden, hidden});
  CheckSizes("B", layer.bias, {directions, 2 * kind.gates * hidden});
  CheckSizes("P", layer.peepholes, {directions, 3 * hidden});
  const std::vector<int64_t> sizes = {directions, batch, hidden};
  layer.hidden = InitialState(InputOr(inputs, 5), layer.x, batch_first, sizes);
  if (kind.has_cell_state) {
    layer.cell = InitialState(InputOr(inputs, 6), layer.x, batch_first, sizes);
  }
  const at::Tensor lengths = InputOr(inputs, 4);
  if (lengths.defined()) {
    CheckSizes("sequence_lens", lengths, {batch});
    const at::Tensor steps = at::arange(time, lengths.options().dtype(at::kLong));
    layer.valid = at::lt(steps.unsqueeze(1), lengths.unsqueeze(0)).unsqueeze(2);
  }
  return layer;
}

CellWeights WeightsOf(const Node& node, const Layer& layer, const CellKind& kind,
                      int64_t direction) {
  CellWeights weights{.recurrence = layer.recurrence[direction],
                      .clip = DecimalOf(node.Float("clip", 0.0f))};
  if (layer.bias.defined()) weights.bias = layer.bias[direction].chunk(2)[1];
  if (layer.peepholes.defined()) weights.peepholes = layer.peepholes[direction];
  const std::vector<CellActivation> all = ActivationsOf(node, kind);
  const auto count = static_cast<std::ptrdiff_t>(kind.activations.size());
  const auto first = all.begin() + direction * count;
  weights.activations.assign(first, first + count);
  return weights;
}

// Beyond the end of its sequence a state stays what it is.
at::Tensor Kept(const at::Tensor& valid, const at::Tensor& fresh, const at::Tensor& old) {
  return valid.defined() && fresh.defined() ? at::where(valid, fresh, old) : fresh;
}

// All hidden states [time, batch, hidden] of one direction; `state` becomes the last.
at::Tensor RunDirection(const Node& node, const Layer& layer, const CellKind& kind,
                        int64_t direction, bool reverse, CellState& state) {
  const CellWeights weights = WeightsOf(node, layer, kind, direction);
  at::Tensor projected = at::matmul(layer.x, layer.weights[direction].t());
  if (layer.bias.defined()) projected = at::add(projected, layer.bias[direction].chunk(2)[0]);
  const int64_t time = layer.x.size(0);
  std::vector<at::Tensor> states(static_cast<size_t>(time));
  for (int64_t i = 0; i < time; ++i) {
    const int64_t t = reverse ? time - 1 - i : i;
    const at::Tensor valid = layer.valid.defined() ? layer.valid[t] : at::Tensor();
    const CellState fresh = kind.step(node, weights, projected[t], state);
    state = {Kept(valid, fresh.hidden, state.hidden), Kept(valid, fresh.cell, state.cell)};
    states[static_cast<size_t>(t)] =
        valid.defined() ? at::mul(state.hidden, valid.to(state.hidden.scalar_type()))
                        : state.hidden;
  }
  return at::stack(states);
}

absl::Status CheckActivations(const Node& node, const CellKind& kind) {
  const size_t wanted = kind.activations.size() * static_cast<size_t>(DirectionsOf(node));
  const auto names = ListOf<std::vector<std::string>>(node, "activations", {});
  if (node.HasAttribute("activations") && names.size() != wanted) {
    return absl::InvalidArgumentError(absl::StrCat("attribute 'activations' has ", names.size(),
                                                   " elements; it must have ", wanted));
  }
  for (const std::string& name : names) {
    if (FindActivation(name) != nullptr) continue;
    std::vector<absl::string_view> known;
    for (const ActivationKind& one : ActivationKinds()) known.push_back(one.name);
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'activations' has '", absl::CHexEscape(name.substr(0, 40)),
                     "'; allowed are, in any case, ", absl::StrJoin(known, ", ")));
  }
  for (const char* list : {"activation_alpha", "activation_beta"}) {
    for (const float number : ListOf<std::vector<float>>(node, list, {})) {
      if (std::isfinite(number)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("attribute '", list, "' has ", number, "; all must be finite"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

at::Tensor CellActivation::operator()(const at::Tensor& x) const {
  return FindActivation(name)->f(x, alpha, beta);
}

at::Tensor CellWeights::Activate(size_t index, const at::Tensor& x) const {
  return activations[index](clip > 0.0 ? at::clamp(x, -clip, clip) : x);
}

std::vector<at::Tensor> RunRecurrent(const Node& node, absl::Span<const at::Tensor> inputs,
                                     const CellKind& kind) {
  const Layer layer = LayerOf(node, inputs, kind);
  TORCH_CHECK(layer.x.size(0) > 0, "the sequence is empty");
  const bool reversed = node.String("direction", "forward") == "reverse";
  std::vector<at::Tensor> all, hidden, cell;
  for (int64_t direction = 0; direction < DirectionsOf(node); ++direction) {
    CellState state{.hidden = layer.hidden[direction]};
    if (kind.has_cell_state) state.cell = layer.cell[direction];
    all.push_back(RunDirection(node, layer, kind, direction, reversed || direction == 1, state));
    hidden.push_back(state.hidden);
    cell.push_back(state.cell);
  }
  // Time and batch lead in the layout that the file asks for.
  const bool batch_first = node.Int("layout", 0) == 1;
  const at::Tensor y = at::stack(all, 1);  // [time, directions, batch, hidden]
  std::vector<at::Tensor> outputs = {batch_first ? y.permute({2, 0, 1, 3}) : y,
                                     at::stack(hidden, batch_first ? 1 : 0)};
  if (kind.has_cell_state) outputs.push_back(at::stack(cell, batch_first ? 1 : 0));
  return FirstOutputs(node, std::move(outputs));
}

absl::Status ValidateRecurrent(const Node& node, const CellKind& kind) {
  QUANTRY_RETURN_IF_ERROR(CheckOneOf(node, "direction", {"forward", "reverse", "bidirectional"}));
  QUANTRY_RETURN_IF_ERROR(CheckInt(node, "layout", 0, 1));
  if (node.HasAttribute("hidden_size")) {
    QUANTRY_RETURN_IF_ERROR(CheckInt(node, "hidden_size", 1, 1 << 24));
  }
  const float clip = node.Float("clip", 1.0f);
  if (!(clip > 0.0f) || !std::isfinite(clip)) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'clip' is ", clip, "; it must be above 0 and finite"));
  }
  return CheckActivations(node, kind);
}

std::vector<AttributeDef> RecurrentAttributes(std::vector<AttributeDef> more) {
  std::vector<AttributeDef> attributes = {{"activation_alpha", AttributeKind::kFloats},
                                          {"activation_beta", AttributeKind::kFloats},
                                          {"activations", AttributeKind::kStrings},
                                          {"clip", AttributeKind::kFloat},
                                          {"direction", AttributeKind::kString},
                                          {"hidden_size", AttributeKind::kInt},
                                          {"layout", AttributeKind::kInt}};
  attributes.insert(attributes.end(), more.begin(), more.end());
  return attributes;
}

}  // namespace quantry::engine
