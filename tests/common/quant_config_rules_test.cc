#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/quant_config.h"
#include "common/quant_profile.h"

namespace quantry {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A config that is accepted, and comes back from its own JSON as it was.
class AcceptedTest : public ::testing::TestWithParam<const char*> {};

TEST_P(AcceptedTest, IsWrittenAndReadBack) {
  const auto config = ParseQuantConfig(GetParam());
  ASSERT_TRUE(config.ok()) << GetParam() << ": " << config.status();
  const auto again = ParseQuantConfig(QuantConfigToJson(*config));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *config);
  EXPECT_NE(*config, QuantConfig());
}

INSTANTIATE_TEST_SUITE_P(
    Values, AcceptedTest,
    ::testing::Values(
        R"({"weight_bits": 2})", R"({"weight_bits": 16, "activation_bits": 16})",
        R"({"profile": "tensorrt"})", R"({"profile": "openvino", "activation_symmetric": false})",
        R"({"profile": "openvino", "activation_dtype": "uint8"})",
        R"({"profile": "openvino", "activation_dtype": "int8"})",
        R"({"profile": "paddle", "weight_bits": 4})",
        R"({"activation_symmetric": false, "activation_dtype": "int8"})",
        R"({"activation_quantize_type": "lsq_plus_act", "activation_symmetric": false})",
        R"({"activation_quantize_type": "lsq_act", "activation_symmetric": false})",
        R"({"weight_quantize_type": "dorefa_weight"})", R"({"dtype": "uint8"})",
        R"({"dtype": "int4", "weight_bits": 4})",
        R"({"dtype": "int4", "overrides": [{"pattern": "a", "weight_bits": 3}]})",
        R"({"dtype": "int4", "weight_bits": 2, "first_last_bits": 8})",
        R"({"calibrator": "percentile", "calibrator_percentile": 100})", R"({"calibrator": "mse"})",
        R"({"calibrator": "kl"})", R"({"first_last_bits": 8})",
        R"({"weight_preprocess_type": "PACT", "pact_setting": "calibrated"})",
        R"({"activation_preprocess_type": "PACT", "pact_setting": "alpha100"})",
        R"({"activation_preprocess_type": "PACT", "pact_setting": "alpha20"})",
        R"({"output_scales": true})",
        R"({"output_scales": true, "activation_quantize_type": "abs_max", "moving_rate": 0.5})",
        R"({"activation_quantize_type": "abs_max", "moving_rate": 0.5,
            "overrides": [{"pattern": "a", "activation_quantize_type": "moving_average_abs_max"}]})",
        R"({"window_size": 9,
            "overrides": [{"pattern": "a", "activation_quantize_type": "range_abs_max"}]})",
        R"({"overrides": [{"pattern": "^features.0", "skip": true},
                          {"pattern": "head$", "skip": false, "weight_bits": 8,
                           "activation_bits": 8, "weight_quantize_type": "abs_max",
                           "activation_quantize_type": "abs_max"}]})",
        R"({"quantizable_layer_type": ["Add", "Concat"], "activation_bits": 4})",
        R"({"not_quant_pattern": []})", R"({"first_last_bits": null, "weight_bits": 4})"));

// Files as PaddleSlim's users keep them.
INSTANTIATE_TEST_SUITE_P(
    PaddleSlim, AcceptedTest,
    ::testing::Values(
        R"({"weight_preprocess_type": null, "activation_preprocess_type": "PACT",
            "weight_quantize_type": "channel_wise_abs_max",
            "activation_quantize_type": "moving_average_abs_max", "weight_bits": 8,
            "activation_bits": 8, "dtype": "int8", "window_size": 10000, "moving_rate": 0.9,
            "quantizable_layer_type": ["Conv2D", "Linear"]})",
        R"({"weight_quantize_type": "abs_max", "activation_quantize_type": "range_abs_max",
            "weight_bits": 8, "activation_bits": 8, "window_size": 1000, "fuse_conv_bn": true,
            "quantizable_layer_type": ["Conv2D", "Linear"]})",
        R"({"activation_preprocess_type": "PACT", "weight_quantize_type": "channel_wise_abs_max",
            "activation_quantize_type": "moving_average_abs_max", "moving_rate": 0.9,
            "not_quant_pattern": ["skip_quant", "head"],
            "quantizable_layer_type": ["Conv2D", "Conv2DTranspose", "Linear"]})",
        R"({"weight_preprocess_type": "PACT", "activation_preprocess_type": "PACT",
            "weight_bits": 4, "activation_bits": 4, "not_quant_pattern": "skip_quant"})",
        R"({"weight_quantize_type": "channel_wise_lsq_weight",
            "activation_quantize_type": "lsq_act", "weight_bits": 4, "activation_bits": 4})",
        R"({"weight_quantize_type": "lsq_weight", "activation_quantize_type": "abs_max"})"));

struct Refusal {
  const char* json;
  const char* names;    // key and value that the message must name
  const char* advises;  // what it must say to be allowed
};

class CombinationTest : public ::testing::TestWithParam<Refusal> {};

TEST_P(CombinationTest, IsRefusedByKeyValueAndAllowed) {
  const auto config = ParseQuantConfig(GetParam().json);
  ASSERT_FALSE(config.ok()) << GetParam().json;
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(config.status().message()),
      AllOf(HasSubstr("quant_config"), HasSubstr(GetParam().names), HasSubstr(GetParam().advises)));
}

INSTANTIATE_TEST_SUITE_P(
    Profiles, CombinationTest,
    ::testing::Values(
        Refusal{R"({"profile": "tensorrt", "weight_bits": 4})",
                "quant_config.weight_bits is 4, which profile \"tensorrt\" can't run", "8, or"},
        Refusal{R"({"profile": "tensorrt", "activation_bits": 16})", "activation_bits is 16",
                "8, or another profile"},
        Refusal{R"({"profile": "tensorrt", "first_last_bits": 4})", "first_last_bits is 4", "8"},
        Refusal{R"({"profile": "tensorrt", "activation_symmetric": false})",
                "activation_symmetric is false, which profile \"tensorrt\"", "true"},
        Refusal{R"({"profile": "tensorrt", "activation_dtype": "uint8"})",
                "activation_dtype is \"uint8\"", "\"int8\", or another profile"},
        Refusal{R"({"profile": "tensorrt", "dtype": "int4"})", "dtype is \"int4\"", "\"int8\""},
        Refusal{R"({"profile": "tensorrt", "overrides": [{"pattern": "a", "weight_bits": 6}]})",
                "quant_config.overrides[0].weight_bits is 6", "8, or another profile"},
        Refusal{R"({"profile": "openvino", "weight_bits": 4})", "weight_bits is 4", "8"},
        Refusal{R"({"profile": "openvino", "activation_bits": 9})", "activation_bits is 9", "8"},
        Refusal{R"({"profile": "openvino", "dtype": "uint8"})", "dtype is \"uint8\"", "\"int8\""},
        Refusal{R"({"profile": "paddle", "weight_bits": 9})", "weight_bits is 9",
                "whole numbers from 2 to 8"},
        Refusal{R"({"profile": "paddle", "activation_symmetric": false})",
                "activation_symmetric is false", "true"},
        Refusal{R"({"profile": "paddle", "dtype": "uint8"})", "dtype is \"uint8\"", "\"int8\""},
        Refusal{R"({"profile": "paddle", "activation_dtype": "uint8"})",
                "activation_dtype is \"uint8\"", "\"int8\""},
        Refusal{R"({"profile": "tensorRT"})", "profile is \"tensorRT\"",
                "did you mean 'tensorrt'"}));

INSTANTIATE_TEST_SUITE_P(
    Exclusions, CombinationTest,
    ::testing::Values(
        Refusal{R"({"activation_quantize_type": "lsq_plus_act"})",
                "activation_quantize_type is \"lsq_plus_act\"", "activation_symmetric false"},
        Refusal{R"({"dtype": "int4", "weight_bits": 4, "weight_quantize_type": "dorefa_weight"})",
                "dtype is \"int4\" while weight_quantize_type is \"dorefa_weight\"", "\"int8\""},
        Refusal{R"({"overrides": [{"pattern": "a", "activation_quantize_type": "lsq_plus_act"}]})",
                "overrides[0].activation_quantize_type is \"lsq_plus_act\"",
                "activation_symmetric false"},
        Refusal{R"({"weight_preprocess_type": "PACT", "weight_quantize_type": "dorefa_weight"})",
                "weight_preprocess_type is \"PACT\" while weight_quantize_type", "null, or"},
        Refusal{R"({"weight_preprocess_type": "PACT",
                    "overrides": [{"pattern": "a", "weight_quantize_type": "lsq_weight"}]})",
                "while overrides[0].weight_quantize_type is \"lsq_weight\"", "null, or"}));

INSTANTIATE_TEST_SUITE_P(
    WithoutEffect, CombinationTest,
    ::testing::Values(
        Refusal{R"({"calibrator_percentile": 99})", "calibrator_percentile is 99",
                "calibrator \"percentile\""},
        Refusal{R"({"calibrator": "kl", "calibrator_percentile": 99})", "calibrator is \"kl\"",
                "99.99"},
        Refusal{R"({"pact_setting": "alpha20"})", "pact_setting is \"alpha20\"", "null"},
        Refusal{R"({"dtype": "int4"})", "dtype is \"int4\" while weight_bits is 8", "at most 4"},
        Refusal{R"({"dtype": "uint8", "weight_bits": 12})", "stored as int16", "at most 8"},
        Refusal{R"({"activation_dtype": "uint8", "activation_bits": 12})", "stored in 16 bits",
                "null"},
        Refusal{R"({"moving_rate": 0.5, "activation_quantize_type": "range_abs_max"})",
                "moving_rate is 0.5", "0.9 (the default)"},
        Refusal{R"({"quantizable_layer_type": ["Add"], "weight_bits": 4})", "weight_bits is set",
                "a type with weights"},
        Refusal{R"({"quantizable_layer_type": ["MatMul"], "dtype": "uint8"})", "dtype is set",
                "a type with weights"},
        Refusal{R"({"quantizable_layer_type": ["MatMul"],
                    "overrides": [{"pattern": "a", "weight_bits": 4}]})",
                "overrides[0].weight_bits is set", "a type with weights"}));

INSTANTIATE_TEST_SUITE_P(
    Overrides, CombinationTest,
    ::testing::Values(
        Refusal{R"({"overrides": {}})", "overrides is an object", "a list of objects"},
        Refusal{R"({"overrides": ["head"]})", "overrides[0] is \"head\"", "an object such as"},
        Refusal{R"({"overrides": [{"pattern": "a", "skip": true}, {"pattern": "b"}]})",
                "overrides[1] is without effect", "at least one of"},
        Refusal{R"({"overrides": [{"skip": true}]})", "overrides[0].pattern is left out",
                "not empty"},
        Refusal{R"({"overrides": [{"pattern": "", "skip": true}]})", "overrides[0].pattern is \"\"",
                "not empty"},
        Refusal{R"({"overrides": [{"pattern": "^$", "skip": true}]})", "names nothing",
                "not empty"},
        Refusal{R"({"overrides": [{"pattern": "a", "skip": true, "weight_bits": 4}]})",
                "overrides[0].skip is true", "nothing but pattern and skip"},
        Refusal{R"({"overrides": [{"pattern": "a", "weight_bits": 4},
                                  {"pattern": "b", "weight_bits": 4},
                                  {"pattern": "c", "weight_bits": 17}]})",
                "quant_config.overrides[2].weight_bits is 17", "from 2 to 16"},
        Refusal{R"({"overrides": [{"pattern": "a", "weigth_bits": 4}]})",
                "quant_config.overrides[0] has no key \"weigth_bits\"",
                "did you mean 'weight_bits'"},
        Refusal{R"({"overrides": [{"pattern": "a", "skip": true, "skip": true}]})", "\"skip\"",
                "more than once"},
        Refusal{R"({"overrides": [{"pattern": "a", "weight_quantize_type": "lsq_act"}]})",
                "overrides[0].weight_quantize_type is \"lsq_act\"", "\"lsq_weight\""}));

// Keys whose values are of the wrong kind.
INSTANTIATE_TEST_SUITE_P(
    Values, CombinationTest,
    ::testing::Values(
        Refusal{R"({"profile": null})", "profile is null", "\"onnxruntime\""},
        Refusal{R"({"activation_symmetric": 0})", "activation_symmetric is 0", "true, false"},
        Refusal{R"({"activation_dtype": "int4"})", "activation_dtype is \"int4\"",
                "null, \"int8\""},
        Refusal{R"({"dtype": "int16"})", "dtype is \"int16\"", "\"int8\""},
        Refusal{R"({"calibrator": "entropy"})", "calibrator is \"entropy\"", "\"kl\""},
        Refusal{R"({"calibrator_percentile": 50})", "calibrator_percentile is 50", "above 50"},
        Refusal{R"({"calibrator_percentile": 100.5})", "is 100.5", "up to 100"},
        Refusal{R"({"calibrator_percentile": "99"})", "is \"99\"", "numbers"},
        Refusal{R"({"first_last_bits": 1})", "first_last_bits is 1", "from 2 to 16"},
        Refusal{R"({"first_last_bits": true})", "first_last_bits is true", "null, whole numbers"},
        Refusal{R"({"pact_setting": "alpha10"})", "pact_setting is \"alpha10\"",
                "did you mean 'alpha100'"},
        Refusal{R"({"output_scales": "yes"})", "output_scales is \"yes\"", "true, false"},
        Refusal{R"({"moving_rate": 0})", "moving_rate is 0", "above 0"},
        Refusal{R"({"moving_rate": 1e999})", "JSON", "object"}));

TEST(QuantProfileTest, EverySupportedOneIsInTheTable) {
  for (const absl::string_view name : SupportedProfiles()) {
    ASSERT_NE(FindQuantProfile(name), nullptr) << name;
    EXPECT_EQ(ParseQuantConfig("{\"profile\": \"" + std::string(name) + "\"}")->profile, name);
  }
  EXPECT_EQ(FindQuantProfile("ncnn"), nullptr);
  EXPECT_TRUE(FindQuantProfile("paddle")->follows_reference);
  EXPECT_FALSE(FindQuantProfile("onnxruntime")->follows_reference);
}

// Nesting, long texts and odd numbers must neither crash nor hang.
TEST(QuantConfigTest, HostileTextsAreRefused) {
  for (const std::string& text :
       {"{\"overrides\": " + std::string(30000, '[') + std::string(30000, ']') + "}",
        "{\"" + std::string(60000, 'k') + "\": 1}",
        "{\"weight_bits\": " + std::string(60000, '9') + "}", std::string("\0{}", 3),
        std::string("{\"profile\": \"\xff\xfe\"}"), std::string("{\"weight_bits\": -0}")}) {
    EXPECT_EQ(ParseQuantConfig(text).status().code(), absl::StatusCode::kInvalidArgument)
        << text.substr(0, 40);
  }
}

}  // namespace
}  // namespace quantry
