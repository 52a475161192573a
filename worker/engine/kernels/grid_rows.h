#ifndef QUANTRY_WORKER_ENGINE_KERNELS_GRID_ROWS_H_
#define QUANTRY_WORKER_ENGINE_KERNELS_GRID_ROWS_H_

#include <cstdint>

namespace quantry::engine {

// Fake quantization where each column of a matrix has a grid of its own: weights of which the last
// axis is the output channels. Single-threaded, with the widest vector instructions of the machine
// (Highway); the same results on all of them. Arrays don't overlap. Thread-safe.
struct GridRow {
  int64_t columns = 0;
  const float* low = nullptr;  // `columns` elements, as the next two
  const float* high = nullptr;
  const float* step = nullptr;
};

// y = round(clamp(x, low, high) / step) * step, halves to even. NaN stays.
void QuantizeRows(const float* x, float* y, int64_t rows, const GridRow& grid);

// dx = dy where low <= x <= high, else 0.
void MaskRows(const float* x, const float* dy, float* dx, int64_t rows, const GridRow& grid);

// Adds to sums[column] the sum of dy * d, where d is `below` if x < low, `above` if x > high, and
// round(v) - v with v = x / step otherwise.
void AddStepGradientOfRows(const float* x, const float* dy, int64_t rows, const GridRow& grid,
                           float below, float above, float* sums);

// most[column] becomes the largest of itself and |x|. NaN anywhere gives NaN.
void RaiseToMagnitudesOfRows(const float* x, int64_t rows, int64_t columns, float* most);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_KERNELS_GRID_ROWS_H_
