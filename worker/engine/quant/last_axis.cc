#include "worker/engine/quant/last_axis.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "worker/engine/kernels/grid_rows.h"
#include "worker/engine/quant/dense_runs.h"

namespace quantry::engine {
namespace {

// The arrays that a GridRow points to.
class Columns {
 public:
  explicit Columns(const QParams& qparams)
      : low_(qparams.low.contiguous()),
        high_(qparams.high.contiguous()),
        step_(qparams.step.contiguous()) {}

  GridRow row() const {
    return {.columns = step_.numel(),
            .low = low_.data_ptr<float>(),
            .high = high_.data_ptr<float>(),
            .step = step_.data_ptr<float>()};
  }

 private:
  at::Tensor low_, high_, step_;
};

// Calls f(task, first row, rows) for tasks of about kDenseChunk elements, in parallel.
template <typename F>
void ForEachTask(int64_t rows, int64_t columns, const F& f) {
  const int64_t of_task = std::max<int64_t>(1, kDenseChunk / columns);
  at::parallel_for(0, (rows + of_task - 1) / of_task, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      f(task, task * of_task, std::min(of_task, rows - task * of_task));
    }
  });
}

// [tasks, columns], to be put together over tasks in order.
at::Tensor PerTask(int64_t rows, int64_t columns) {
  const int64_t of_task = std::max<int64_t>(1, kDenseChunk / columns);
  return at::zeros({(rows + of_task - 1) / of_task, columns}, at::kFloat);
}

}  // namespace

bool HasChannelsLast(const at::Tensor& x, int64_t axis) {
  const ChannelLayout layout = ChannelLayout::Of(x, axis);
  return layout.run == 1 && layout.count > 1;
}

at::Tensor QuantizeLastAxis(const at::Tensor& x, const QParams& qparams) {
  const Columns columns(qparams);
  const GridRow grid = columns.row();
  at::Tensor y = at::empty_like(x);
  const float* from = x.data_ptr<float>();
  float* to = y.data_ptr<float>();
  ForEachTask(x.numel() / grid.columns, grid.columns, [&](int64_t, int64_t first, int64_t rows) {
    const int64_t offset = first * grid.columns;
    QuantizeRows(from + offset, to + offset, rows, grid);
  });
  return y;
}

at::Tensor MaskLastAxis(const at::Tensor& x, const at::Tensor& dy, const QParams& qparams) {
  const Columns columns(qparams);
  const GridRow grid = columns.row();
  at::Tensor dx = at::empty_like(x);
  const float* inputs = x.data_ptr<float>();
  const float* from = dy.data_ptr<float>();
  float* to = dx.data_ptr<float>();
  ForEachTask(x.numel() / grid.columns, grid.columns, [&](int64_t, int64_t first, int64_t rows) {
    const int64_t offset = first * grid.columns;
    MaskRows(inputs + offset, from + offset, to + offset, rows, grid);
  });
  return dx;
}

at::Tensor StepGradientLastAxis(const at::Tensor& x, const at::Tensor& dy, const QParams& qparams,
                                double below, double above) {
  const Columns columns(qparams);
  const GridRow grid = columns.row();
  const int64_t rows = x.numel() / grid.columns;
  const at::Tensor sums = PerTask(rows, grid.columns);
  float* to = sums.data_ptr<float>();
  const float* inputs = x.data_ptr<float>();
  const float* from = dy.data_ptr<float>();
  ForEachTask(rows, grid.columns, [&](int64_t task, int64_t first, int64_t count) {
    const int64_t offset = first * grid.columns;
    AddStepGradientOfRows(inputs + offset, from + offset, count, grid, static_cast<float>(below),
                          static_cast<float>(above), to + task * grid.columns);
  });
  return sums.to(at::kDouble).sum(0).to(at::kFloat);
}

at::Tensor AbsMaxLastAxis(const at::Tensor& x, int64_t channels) {
  const int64_t rows = x.numel() / channels;
  const at::Tensor most = PerTask(rows, channels);
  float* to = most.data_ptr<float>();
  const float* from = x.data_ptr<float>();
  ForEachTask(rows, channels, [&](int64_t task, int64_t first, int64_t count) {
    RaiseToMagnitudesOfRows(from + first * channels, count, channels, to + task * channels);
  });
  return most.amax(0);
}

}  // namespace quantry::engine
