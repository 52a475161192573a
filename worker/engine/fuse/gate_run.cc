#include "worker/engine/fuse/gate_run.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "worker/engine/fuse/chain_statistics.h"

namespace quantry::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Calls f(picture) for all of them, in parallel: what one picture's kernels do is then done by one
// thread, unless there is but one.
void ForEachPicture(const at::Tensor& x, const std::function<void(int64_t)>& f) {
  at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;
    for (int64_t i = begin; i < end; ++i) f(i);
  });
}

at::Tensor Picture(const at::Tensor& pictures, int64_t i) { return pictures.narrow(0, i, 1); }

// The affine part of a picture's chain: x, which counts steps, times the gate.
void SetAffine(const float* gate, double step, ChainRun& run) {
  const auto channels = static_cast<size_t>(run.shape.channels);
  const std::vector<float> gates(gate, gate + channels);
  std::vector<float> scale = gates;
  for (float& value : scale) value = static_cast<float>(step * static_cast<double>(value));
  run.has_affine = true;
  run.mean = run.shift = Periodic(std::vector<float>(channels, 0.0f));
  run.scale = Periodic(scale);
  run.input_scale = Periodic(gates);
  // The gradient of the scale is that of the gate, in steps.
  run.inverse_deviation.assign(channels, step);
}

void PointToAffine(ChainRun& run) {
  run.chain.channels = run.shape.channels;
  run.chain.mean = run.mean.data();
  run.chain.scale = run.scale.data();
  run.chain.shift = run.shift.data();
}

class GateFunction : public torch::autograd::Function<GateFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& gate,
                            at::TensorList learners, const c10::intrusive_ptr<GateRun>& run) {
    // These get gradients; their values are in the run.
    (void)gate;
    (void)learners;
    context->save_for_backward({x});
    context->saved_data["run"] = AsCapsule(run);
    return run->Forward(x);
  }

  static variable_list backward(AutogradContext* context, variable_list outputs) {
    const at::Tensor x = context->get_saved_variables()[0];
    const auto run = FromCapsule<GateRun>(context->saved_data["run"]);
    at::Tensor dy = outputs[0];
    const bool known = dy.scalar_type() == at::kFloat || dy.scalar_type() == at::kBFloat16;
    if (dy.strides() != x.strides() || !known) {
      dy = at::empty_like(x, x.options().dtype(at::kFloat)).copy_(dy);
    }
    GateRun::Gradients gradients = run->Backward(x, dy);
    variable_list all = {gradients.x, gradients.gate};
    all.insert(all.end(), gradients.learned.begin(), gradients.learned.end());
    all.emplace_back();
    return all;
  }
};

}  // namespace

GateRun::GateRun(const RunValue& x, const at::Tensor& gate) {
  const at::Tensor gates = gate.detach().contiguous();
  const int64_t channels = x.tensor.size(1);
  const int64_t rows = x.tensor.size(2) * x.tensor.size(3);
  for (int64_t i = 0; i < x.tensor.size(0); ++i) {
    ChainRun& run = pictures_.emplace_back();
    run.shape = {.rows = rows, .channels = channels};
    SetAffine(gates.data_ptr<float>() + i * channels, x.integers() ? x.step : 1, run);
    PointToAffine(run);
  }
}

ChainRange GateRun::Range(const at::Tensor& x) const {
  std::vector<ChainRange> ranges(pictures_.size());
  ForEachPicture(x, [&](int64_t i) {
    const auto n = static_cast<size_t>(i);
    ranges[n] = RangeOfChain(ElementsOf(Picture(x, i)), {}, pictures_[n].shape, pictures_[n].chain);
  });
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ChainRange whole = {kInfinity, -kInfinity};
  for (const ChainRange& range : ranges) {
    if (std::isnan(range.least)) return range;
    whole = {std::min(whole.least, range.least), std::max(whole.most, range.most)};
  }
  return whole;
}

void GateRun::SetChain(const ElementwiseChain& chain, const GridLearning& learning) {
  for (ChainRun& run : pictures_) {
    run.chain = chain;
    run.outer_learning = learning;
    PointToAffine(run);
  }
}

at::Tensor GateRun::Forward(const at::Tensor& x) const {
  const at::ScalarType type = chain().gives_integers ? at::kBFloat16 : at::kFloat;
  at::Tensor y = at::empty_like(x, x.options().dtype(type));
  ForEachPicture(x, [&](int64_t i) {
    ChainResultTo(Picture(x, i), {}, pictures_[static_cast<size_t>(i)], Picture(y, i));
  });
  return y;
}

GateRun::Gradients GateRun::Backward(const at::Tensor& x, const at::Tensor& dy) const {
  Gradients gradients = {.x = at::empty_like(x),
                         .gate = at::empty({x.size(0), x.size(1), 1, 1}, at::kFloat)};
  std::vector<std::vector<at::Tensor>> learned(pictures_.size());
  ForEachPicture(x, [&](int64_t i) {
    const ChainGradients of_picture =
        ChainGradientsOf(Picture(x, i), {}, Picture(dy, i), pictures_[static_cast<size_t>(i)],
                         Picture(gradients.x, i));
    gradients.gate.select(0, i).view(-1).copy_(of_picture.scale);
    learned[static_cast<size_t>(i)] = LearnersGradients(of_picture);
  });
  // Over pictures in order: the same sum however many threads there are.
  for (const std::vector<at::Tensor>& of_picture : learned) {
    if (gradients.learned.empty()) {
      gradients.learned = of_picture;
      continue;
    }
    for (size_t k = 0; k < of_picture.size(); ++k) gradients.learned[k] += of_picture[k];
  }
  return gradients;
}

RunValue RunGate(const at::Tensor& x, const at::Tensor& gate,
                 const c10::intrusive_ptr<GateRun>& run) {
  std::vector<at::Tensor> learners;
  for (const at::Tensor& tensor : {run->learning().parameter, run->learning().offset}) {
    if (tensor.defined()) learners.push_back(tensor);
  }
  const bool wanted = AnyWantsGradient({x, gate}) || AnyWantsGradient(learners);
  const at::Tensor y =
      wanted ? GateFunction::apply(x, gate, at::TensorList(learners), run) : run->Forward(x);
  return {.tensor = y, .step = run->chain().gives_integers ? run->chain().outer.step : 0};
}

}  // namespace quantry::engine
