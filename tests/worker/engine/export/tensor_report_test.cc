#include "worker/engine/export/tensor_report.h"

#include <gtest/gtest.h>

#include "tests/worker/engine/export/quantized_net.h"

namespace quantry::engine {
namespace {

TEST(TensorReportTest, OneEntryPerQuantizedInput) {
  QuantConfig config;
  config.weight_bits = 4;
  config.activation_preprocess_type = "PACT";
  const at::Tensor data = at::randn({4, 3, 8, 8});
  const Graph trained = Quantized(BuildSmallNet(15), config, data);
  const std::vector<TensorReport> reports = ReportTensors(trained);
  ASSERT_EQ(reports.size(), 8u);
  EXPECT_EQ(reports[0].layer, "stem");
  EXPECT_EQ(reports[0].value, "input");
  EXPECT_EQ(reports[0].quantizer, "PACT+moving_average_abs_max");
  EXPECT_NEAR(reports[0].scale_max, data.abs().max().item<double>() / 127, 1e-6);
  EXPECT_TRUE(reports[1].is_weight);
  EXPECT_TRUE(reports[1].per_channel);
  EXPECT_EQ(reports[1].bits, 4);
  EXPECT_LT(reports[1].scale_min, reports[1].scale_max);
  EXPECT_EQ(reports[1].fake_quant_node, "stem.weight.fake_quant");
}

}  // namespace
}  // namespace quantry::engine
