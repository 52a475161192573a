#include "worker/engine/ops/fake_quantize_spec.h"

#include "worker/engine/quant/quantizer.h"

namespace quantry::engine {

AttributeMap ToAttributes(const FakeQuantizeSpec& spec) {
  return {{"quantizer", spec.quantizer},
          {"bits", int64_t{spec.bits}},
          {"axis", spec.axis},
          {"is_weight", int64_t{spec.is_weight}},
          {"symmetric", int64_t{spec.symmetric}},
          {"moving_rate", spec.moving_rate},
          {"window_size", spec.window_size},
          {"preprocess", std::string(spec.pact ? "PACT" : "")},
          {"alpha_from_calibration", int64_t{spec.alpha_from_calibration}},
          {"calibrator", spec.calibrator},
          {"calibrator_percentile", spec.calibrator_percentile},
          {"fills_type", int64_t{spec.fills_type}},
          {"rounding", static_cast<int64_t>(spec.rounding)},
          {"straight_through", int64_t{spec.gradient == InputGradient::kStraightThrough}},
          {"reference_start", int64_t{spec.reference_start}},
          {"dynamic", int64_t{spec.dynamic}},
          {"full_range", int64_t{spec.full_range}}};
}

FakeQuantizeSpec SpecOf(const Node& node) {
  const FakeQuantizeSpec defaults;
  FakeQuantizeSpec spec = {
      .quantizer = node.String("quantizer", defaults.quantizer),
      .bits = static_cast<int>(node.Int("bits", defaults.bits)),
      .axis = node.Int("axis", defaults.axis),
      .is_weight = node.Int("is_weight", 0) != 0,
      .symmetric = node.Int("symmetric", 1) != 0,
      .moving_rate = node.Float("moving_rate", defaults.moving_rate),
      .window_size = node.Int("window_size", defaults.window_size),
      .pact = node.String("preprocess", "") == "PACT",
      .alpha_from_calibration = node.Int("alpha_from_calibration", 0) != 0,
      .calibrator = node.String("calibrator", defaults.calibrator),
      .calibrator_percentile = node.Float("calibrator_percentile", defaults.calibrator_percentile),
      .fills_type = node.Int("fills_type", 0) != 0,
      .rounding =
          node.Int("rounding", 0) == 0 ? Rounding::kHalfToEven : Rounding::kHalfAwayFromZero,
      .gradient = node.Int("straight_through", 0) == 0 ? InputGradient::kMasked
                                                       : InputGradient::kStraightThrough,
      .reference_start = node.Int("reference_start", 0) != 0,
      .dynamic = node.Int("dynamic", 0) != 0,
      .full_range = node.Int("full_range", 0) != 0};
  const QuantizerDef* quantizer = FindQuantizer(spec.quantizer);
  if (quantizer != nullptr && quantizer->learned_offset) spec.symmetric = false;
  return spec;
}

void UseReference(FakeQuantizeSpec& spec) {
  spec.rounding = Rounding::kHalfAwayFromZero;
  spec.gradient = InputGradient::kStraightThrough;
  spec.reference_start = true;
  spec.dynamic = true;
  spec.full_range = true;
  spec.fills_type = false;
}

}  // namespace quantry::engine
