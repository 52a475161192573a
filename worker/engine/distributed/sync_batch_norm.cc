#include "worker/engine/distributed/sync_batch_norm.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

namespace quantry::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Of all ranks, in double.
struct Statistics {
  double count = 0.0;  // elements per channel
  at::Tensor mean;
  at::Tensor variance;  // of count, not count - 1
};

Statistics StatisticsOf(const at::Tensor& x, Collective& ranks) {
  const auto [own_mean, own_variance] =
      at::batch_norm_update_stats(x, /*running_mean=*/{}, /*running_var=*/{}, /*momentum=*/0.0);
  const double own_count = static_cast<double>(x.numel() / x.size(1));
  const at::Tensor mean = own_mean.to(at::kDouble);
  // Per channel the sum, and the sum of squares; and how many.
  at::Tensor sums =
      at::cat({mean * own_count, (own_variance.to(at::kDouble) + mean.square()) * own_count,
               at::full({1}, own_count, at::kDouble)});
  ThrowUnlessOk(ranks.AllReduce(sums, RankReduction::kSum));
  const int64_t channels = x.size(1);
  const double count = sums[2 * channels].item<double>();
  const at::Tensor all_mean = sums.slice(0, 0, channels) / count;
  const at::Tensor all_squares = sums.slice(0, channels, 2 * channels) / count;
  return {
      .count = count, .mean = all_mean, .variance = (all_squares - all_mean.square()).clamp_min(0)};
}

void UpdateRunning(const at::Tensor& running, const at::Tensor& seen, double momentum) {
  at::Tensor target = running;
  target.mul_(1.0 - momentum).add_(seen.to(target.scalar_type()), momentum);
}

at::Tensor PerChannel(const at::Tensor& values, const at::Tensor& x) {
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[1] = x.size(1);
  return values.to(x.scalar_type()).view(shape);
}

class Function : public torch::autograd::Function<Function> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& gamma,
                            const at::Tensor& beta, const at::Tensor& mean,
                            const at::Tensor& variance, double count, double epsilon,
                            int64_t ranks) {
    context->save_for_backward({x, gamma, mean, variance});
    context->saved_data["count"] = count;
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["ranks"] = ranks;
    return at::batch_norm(x, gamma, beta, mean, variance, /*training=*/false, /*momentum=*/0.0,
                          epsilon, /*cudnn_enabled=*/false);
  }

  static variable_list backward(AutogradContext* context, const variable_list& outputs) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& gamma = saved[1];
    const at::Tensor& mean = saved[2];
    const at::Tensor& variance = saved[3];
    const double epsilon = context->saved_data["epsilon"].toDouble();
    const double count = context->saved_data["count"].toDouble();
    auto& ranks = *reinterpret_cast<Collective*>(context->saved_data["ranks"].toInt());
    // With fixed statistics the same kernel gives gamma * r * dy and the two sums of this rank.
    const at::Tensor dy = outputs[0].contiguous(x.suggest_memory_format());
    auto [dx, d_gamma, d_beta] = at::native_batch_norm_backward(
        dy, x, gamma, mean, variance, /*save_mean=*/{},
        /*save_invstd=*/{}, /*train=*/false, epsilon, {true, true, true});
    at::Tensor sums = at::stack({d_gamma, d_beta}).to(at::kDouble);
    ThrowUnlessOk(ranks.AllReduce(sums, RankReduction::kSum));
    const at::Tensor r = (variance.to(at::kDouble) + epsilon).rsqrt();
    const at::Tensor scale = gamma.detach().to(at::kDouble) * r / count;
    const at::Tensor slope = scale * r * sums[0];
    const at::Tensor offset = scale * sums[1] - slope * mean.to(at::kDouble);
    dx.addcmul_(x, PerChannel(slope, x), -1).sub_(PerChannel(offset, x));
    return {dx,           d_gamma,      d_beta,       at::Tensor(),
            at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor SyncBatchNorm(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
                         const at::Tensor& running_mean, const at::Tensor& running_variance,
                         double momentum, double epsilon, Collective& ranks) {
  Statistics statistics;
  {
    const at::NoGradGuard no_grad;
    statistics = StatisticsOf(x.detach(), ranks);
    const double unbiased = statistics.count / std::max(1.0, statistics.count - 1.0);
    UpdateRunning(running_mean, statistics.mean, momentum);
    UpdateRunning(running_variance, statistics.variance * unbiased, momentum);
  }
  const at::ScalarType type = x.scalar_type();
  return Function::apply(x, gamma, beta, statistics.mean.to(type), statistics.variance.to(type),
                         statistics.count, epsilon, reinterpret_cast<int64_t>(&ranks));
}

}  // namespace quantry::engine
