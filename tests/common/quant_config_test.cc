#include "common/quant_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantry {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The reference's default config, as its users copy it.
constexpr absl::string_view kReference = R"({
  "weight_preprocess_type": null, "activation_preprocess_type": null,
  "weight_quantize_type": "channel_wise_abs_max",
  "activation_quantize_type": "moving_average_abs_max",
  "weight_bits": 8, "activation_bits": 8, "dtype": "int8", "window_size": 10000,
  "moving_rate": 0.9, "quantizable_layer_type": ["Conv2D", "Linear"]})";

TEST(QuantConfigTest, ReferenceAndEmptyAreDefaults) {
  for (const absl::string_view text :
       {kReference, absl::string_view(""), absl::string_view(" \n"), absl::string_view("{}")}) {
    const auto config = ParseQuantConfig(text);
    ASSERT_TRUE(config.ok()) << text << ": " << config.status();
    EXPECT_EQ(*config, QuantConfig{}) << text;
  }
}

TEST(QuantConfigTest, EveryKeyTakesEffectAndIsWrittenBack) {
  const auto config = ParseQuantConfig(R"({
    "weight_preprocess_type": "PACT", "activation_preprocess_type": "PACT",
    "weight_quantize_type": "abs_max", "activation_quantize_type": "moving_average_abs_max",
    "weight_bits": 4, "activation_bits": 3, "moving_rate": 0.95,
    "quantizable_layer_type": ["Linear", "Linear"], "fuse_conv_bn": true,
    "not_quant_pattern": "head"})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->weight_preprocess_type, "PACT");
  EXPECT_EQ(config->activation_preprocess_type, "PACT");
  EXPECT_EQ(config->weight_quantize_type, "abs_max");
  EXPECT_EQ(config->activation_quantize_type, "moving_average_abs_max");
  EXPECT_EQ(config->weight_bits, 4);
  EXPECT_EQ(config->activation_bits, 3);
  EXPECT_EQ(config->moving_rate, 0.95);
  EXPECT_THAT(config->quantizable_layer_type, ElementsAre("Linear"));
  EXPECT_TRUE(config->fuse_conv_bn);
  EXPECT_THAT(config->not_quant_pattern, ElementsAre("head"));
  EXPECT_EQ(ParseQuantConfig(QuantConfigToJson(*config)).value(), *config);
}

TEST(QuantConfigTest, WindowSizeComesWithRangeAbsMax) {
  const auto config =
      ParseQuantConfig(R"({"activation_quantize_type": "range_abs_max", "window_size": 500})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->window_size, 500);
}

TEST(QuantConfigTest, EverySupportedNameIsAccepted) {
  for (const absl::string_view name : SupportedWeightQuantizers()) {
    EXPECT_EQ(ParseQuantConfig("{\"weight_quantize_type\": \"" + std::string(name) + "\"}")
                  ->weight_quantize_type,
              name);
  }
  for (const absl::string_view name : SupportedActivationQuantizers()) {
    const std::string symmetric = name == "lsq_plus_act" ? "false" : "true";
    EXPECT_EQ(ParseQuantConfig("{\"activation_quantize_type\": \"" + std::string(name) +
                               "\", \"activation_symmetric\": " + symmetric + "}")
                  ->activation_quantize_type,
              name);
  }
}

struct Refusal {
  const char* json;
  const char* names;    // what the message must name
  const char* advises;  // and what it must advise
};

class RefusedTest : public ::testing::TestWithParam<Refusal> {};

TEST_P(RefusedTest, NamesKeyValueAndAllowed) {
  const auto config = ParseQuantConfig(GetParam().json);
  ASSERT_FALSE(config.ok()) << GetParam().json;
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(config.status().message()),
              AllOf(HasSubstr(GetParam().names), HasSubstr(GetParam().advises)));
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedTest,
    ::testing::Values(
        Refusal{"{", "JSON", "object"}, Refusal{"[]", "array", "object"},
        Refusal{"{'weight_bits': 8}", "JSON", "double quotes"},
        Refusal{R"({"wieght_bits": 8})", "wieght_bits", "did you mean 'weight_bits'"},
        Refusal{R"({"weight_bits": 4, "weight_bits": 8})", "weight_bits", "more than once"},
        Refusal{R"({"weight_bits": 1})", "weight_bits is 1", "from 2 to 16"},
        Refusal{R"({"weight_bits": 0})", "weight_bits is 0", "from 2 to 16"},
        Refusal{R"({"activation_bits": 17})", "activation_bits is 17;", "from 2 to 16"},
        Refusal{R"({"activation_bits": "8"})", "activation_bits is \"8\"", "whole numbers"},
        Refusal{R"({"activation_bits": 8.5})", "activation_bits is 8.5", "whole numbers"},
        Refusal{R"({"weight_bits": 18446744073709551615})", "weight_bits", "from 2 to 16"},
        Refusal{R"({"weight_bits": null})", "weight_bits is null", "whole numbers"},
        Refusal{R"({"weight_quantize_type": "abs_mx"})", "\"abs_mx\"", "did you mean 'abs_max'"},
        Refusal{R"({"weight_quantize_type": "lsq_act"})", "lsq_act", "\"lsq_weight\""},
        Refusal{R"({"weight_quantize_type": "lsq_weight", "weight_preprocess_type": "PACT"})",
                "weight_preprocess_type is \"PACT\" while weight_quantize_type is \"lsq_weight\"",
                "null, or another"},
        Refusal{R"({"activation_quantize_type": "lsq_act", "activation_preprocess_type": "PACT"})",
                "activation_preprocess_type is \"PACT\"", "null, or another"},
        Refusal{R"({"weight_quantize_type": ["abs_max"]})", "an array", "channel_wise_abs_max"},
        Refusal{R"({"activation_quantize_type": "channel_wise_abs_max"})",
                "activation_quantize_type is \"channel_wise_abs_max\"", "moving_average_abs_max"},
        Refusal{R"({"activation_preprocess_type": "pact"})", "\"pact\"", "null, \"PACT\""},
        Refusal{R"({"dtype": "int4"})", "dtype is \"int4\"", "at most 4"},
        Refusal{R"({"window_size": 0})", "window_size is 0", "from 1 to 1000000"},
        Refusal{R"({"window_size": 1000001})", "window_size is 1000001", "from 1 to 1000000"},
        Refusal{R"({"window_size": 500})", "window_size is 500", "range_abs_max"},
        Refusal{R"({"moving_rate": 1})", "moving_rate is 1", "below 1"},
        Refusal{R"({"moving_rate": 0.5, "activation_quantize_type": "abs_max"})",
                "moving_rate is 0.5", "moving_average_abs_max"},
        Refusal{R"({"quantizable_layer_type": []})", "empty list", "Conv2D"},
        Refusal{R"({"quantizable_layer_type": "Conv2D"})", "quantizable_layer_type", "a list of"},
        Refusal{R"({"quantizable_layer_type": ["Conv2d"]})", "\"Conv2d\"", "did you mean 'Conv2D'"},
        Refusal{R"({"fuse_conv_bn": 1})", "fuse_conv_bn is 1", "true, false"},
        Refusal{R"({"not_quant_pattern": [""]})", "not_quant_pattern", "not empty"},
        Refusal{R"({"not_quant_pattern": null})", "not_quant_pattern is null", "a list"}));

TEST(QuantConfigTest, HugeTextIsRefused) {
  const auto config = ParseQuantConfig(std::string(100000, '['));
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quantry
