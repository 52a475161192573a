#ifndef QUANTRY_WORKER_ENGINE_DATA_GLYPHS_EXACT_MATH_H_
#define QUANTRY_WORKER_ENGINE_DATA_GLYPHS_EXACT_MATH_H_

#include <cmath>

namespace quantry::engine {

// Glyphs are the same bytes on every machine, so their code uses only operations that IEEE 754
// defines to the last bit: + - * / sqrt and floor. The C library's sin and cos are not among them.
// Nor do arguments of one call draw several random numbers: their order is up to the compiler.

struct SinCos {
  double sin;
  double cos;
};

// Sine and cosine of an angle in turns (1 = 360 degrees); absolute error below 1e-10. Reduced to an
// eighth of a turn either way, then Taylor's series.
inline SinCos SinCosOfTurns(double turns) {
  const double quarter = std::floor(turns * 4.0 + 0.5);
  const double a = (turns - quarter * 0.25) * 6.283185307179586;
  const double b = a * a;
  const double s =
      a * (1.0 +
           b * (-1.0 / 6 +
                b * (1.0 / 120 + b * (-1.0 / 5040 + b * (1.0 / 362880 + b * (-1.0 / 39916800))))));
  const double c =
      1.0 +
      b * (-0.5 + b * (1.0 / 24 + b * (-1.0 / 720 + b * (1.0 / 40320 + b * (-1.0 / 3628800)))));
  const double phase = quarter - 4.0 * std::floor(quarter * 0.25);
  if (phase == 0.0) return {s, c};
  if (phase == 1.0) return {c, -s};
  if (phase == 2.0) return {-s, -c};
  return {-c, s};
}

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DATA_GLYPHS_EXACT_MATH_H_
