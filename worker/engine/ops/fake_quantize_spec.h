#ifndef QUANTRY_WORKER_ENGINE_OPS_FAKE_QUANTIZE_SPEC_H_
#define QUANTRY_WORKER_ENGINE_OPS_FAKE_QUANTIZE_SPEC_H_

#include <cstdint>
#include <string>

#include "worker/engine/graph/node.h"
#include "worker/engine/graph/types.h"
#include "worker/engine/quant/rounding.h"

namespace quantry::engine {

// The attributes of a FakeQuantize node.
struct FakeQuantizeSpec {
  std::string quantizer = "abs_max";  // a name of QuantizerTable()
  int bits = 8;                       // 2..16
  int64_t axis = -1;                  // -1: one scale; else one per index of this axis
  bool is_weight = false;
  // False: unsigned integers with a zero point. Activations only. LSQ+ is never symmetric, whatever
  // stands here.
  bool symmetric = true;
  float moving_rate = 0.9f;             // moving averages only
  int64_t window_size = 10000;          // range_abs_max only
  bool pact = false;                    // input 4 is there
  bool alpha_from_calibration = false;  // PACT: alpha starts at the calibrated s
  // How the start of a quantizer whose s is free is found from what calibration sees: a name of
  // CalibratorTable() (quant/calibrator.h), and the share of |x| that "percentile" keeps, in
  // percent.
  std::string calibrator = "abs_max";
  float calibrator_percentile = 99.99f;
  // Symmetric activations of 8 and 16 bits: integers in [-q - 1, q], all that int8 and int16 have,
  // as the runtimes saturate, instead of [-q, q]. Not with PACT, which clamps to [-alpha, alpha].
  bool fills_type = false;

  // The reference's ways; UseReference sets all of them.
  Rounding rounding = Rounding::kHalfToEven;
  InputGradient gradient = InputGradient::kMasked;  // learned steps and DoReFa have their own
  // Moving averages start at s = 0.001, state = 1, accum = 1; range_abs_max at s = 0.001.
  bool reference_start = false;
  // Activations with abs_max: kEvaluate, too, takes the s of the very tensor. Export can't, and
  // takes the largest s seen.
  bool dynamic = false;
  bool full_range = false;  // symmetric learned steps: integers in [-q - 1, q] instead of [-q, q]

  friend bool operator==(const FakeQuantizeSpec&, const FakeQuantizeSpec&) = default;
};

// Makes `spec` compute what the reference (PaddleSlim on Paddle's kernels) computes, to the letter:
// profile "paddle".
void UseReference(FakeQuantizeSpec& spec);

AttributeMap ToAttributes(const FakeQuantizeSpec& spec);
FakeQuantizeSpec SpecOf(const Node& node);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_OPS_FAKE_QUANTIZE_SPEC_H_
