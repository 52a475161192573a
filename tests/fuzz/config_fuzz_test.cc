// Damaged quant_configs and specs of jobs.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/quant_config.h"
#include "common/safetensors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate_bytes.h"
#include "tests/fuzz/mutate_json.h"
#include "worker/trainer/spec_to_options.h"

namespace quantry {
namespace {

const std::vector<std::string>& ConfigSeeds() {
  static const std::vector<std::string> kSeeds = {
      "{}", QuantConfigToJson(QuantConfig{}),
      R"({"weight_bits": 4, "activation_bits": 4, "weight_preprocess_type": "PACT",
          "activation_preprocess_type": "PACT", "weight_quantize_type": "abs_max"})",
      R"({"not_quant_pattern": ["skip_quant", "head"], "quantizable_layer_type": ["Conv2D"],
          "moving_rate": 0.99, "window_size": 100, "fuse_conv_bn": true,
          "activation_quantize_type": "range_abs_max"})",
      R"({"profile": "tensorrt", "activation_symmetric": false, "activation_dtype": "uint8",
          "calibrator": "percentile", "calibrator_percentile": 99.9, "first_last_bits": 8,
          "overrides": [{"pattern": "features.0", "skip": true},
                        {"pattern": "classifier", "weight_bits": 4, "activation_bits": 8,
                         "weight_quantize_type": "abs_max"}],
          "pact_setting": "alpha20", "output_scales": true})"};
  return kSeeds;
}

// Keys, values, and what comes near.
const std::vector<std::string>& Words() {
  static const std::vector<std::string> kWords = [] {
    std::vector<std::string> words = {"",
                                      "PACT",
                                      "int8",
                                      "uint8",
                                      "int4",
                                      "Conv2D",
                                      "Linear",
                                      "weight_bit",
                                      "weight_bits",
                                      "dtype",
                                      "profile",
                                      "overrides",
                                      "pattern",
                                      "skip",
                                      "calibrator",
                                      "mse",
                                      "kl",
                                      "first_last_bits",
                                      "alpha100",
                                      "calibrated",
                                      "output_scales",
                                      "openvino",
                                      "paddle",
                                      "job",
                                      "mode",
                                      "training",
                                      "epochs",
                                      "dataset",
                                      "uri",
                                      "model",
                                      "builtin",
                                      "MODE_QAT",
                                      "MODE_PTQ",
                                      "quantConfigJson",
                                      "seed",
                                      "learningRate",
                                      "momentum",
                                      "resources",
                                      "checkpointPath",
                                      "device",
                                      "cuda:0",
                                      "\xc3\xa9\xf0\x9f\x98\x80"};
    for (const auto name : SupportedWeightQuantizers()) words.emplace_back(name);
    for (const auto name : SupportedActivationQuantizers()) words.emplace_back(name);
    return words;
  }();
  return kWords;
}

// What is accepted must come back the same from its own text.
absl::Status ReadConfig(const std::string& text) {
  const auto config = ParseQuantConfig(text);
  if (!config.ok()) return config.status();
  const auto again = ParseQuantConfig(QuantConfigToJson(*config));
  if (!again.ok())
    return absl::InternalError(absl::StrCat("not read back: ", again.status().message()));
  return *again == *config ? absl::OkStatus() : absl::InternalError("came back as something else");
}

absl::Status ReadSpec(const std::string& text) {
  const auto spec = trainer::ParseSpec(text);
  if (!spec.ok()) return spec.status();
  (void)trainer::UnusedOptions(*spec);
  return trainer::SpecToOptions(*spec).status();
}

std::string Mutate(const std::string& seed, FuzzRng& rng) { return MutateJson(seed, Words(), rng); }

TEST(ConfigFuzz, QuantConfig) {
  ExpectNoFuzzFailures(
      {.name = "quant_config", .seeds = ConfigSeeds(), .mutate = Mutate, .read = ReadConfig}, 2000);
}

TEST(ConfigFuzz, TrainerSpec) {
  const std::vector<std::string> seeds = {
      R"({"job": {"mode": "MODE_QAT", "data": {"trainUri": "synthetic://glyphs"}},
          "modelPath": "/m.onnx"})",
      R"({"job": {"mode": "MODE_QAT",
            "model": {"builtin": {"name": "resnet18", "numClasses": 7, "width": 0.5}},
            "data": {"trainUri": "file:///a", "evalUri": "file:///b", "imageSize": 48,
                     "mean": [0, 0.1, 0.2], "std": [1, 2, 3], "randomCrop": false,
                     "maxTrainExamples": 11, "decodeThreads": 3},
            "quantConfig": "{\"weight_bits\": 4}",
            "training": {"epochs": 3, "batchSize": 8, "learningRate": 0.5, "momentum": 0.8,
                         "weightDecay": 0.1, "schedule": "step", "stepEpochs": 2, "stepGamma": 0.3,
                         "warmupEpochs": 0.5, "labelSmoothing": 0.2, "gradientClip": 4, "seed": 6,
                         "checkpointSteps": 9, "calibrationBatches": 2, "threads": 1},
            "pact": {"alpha": 20, "learningRateFactor": 1000, "weightDecay": 0.01}},
          "device": "cpu", "datasetRoots": ["/data"], "checkpointPath": "/c"})",
      R"({"job": {"mode": "MODE_EVALUATE", "data": {"evalUri": "synthetic://glyphs"}},
          "modelPath": "/m.onnx", "weightsPath": "/w.safetensors"})"};
  ExpectNoFuzzFailures(
      {.name = "trainer_spec",
       .seeds = seeds,
       .mutate = Mutate,
       .read = ReadSpec,
       .refusals = {absl::StatusCode::kInvalidArgument, absl::StatusCode::kUnimplemented}},
      2000);
}

TEST(ConfigFuzz, Safetensors) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
      R"("b":{"dtype":"I64","shape":[1],"data_offsets":[16,24]}})";
  const auto file = [](const std::string& json) {
    std::string size(8, '\0');
    for (size_t i = 0; i < 8; ++i) size[i] = static_cast<char>(json.size() >> (8 * i));
    return absl::StrCat(size, json, std::string(24, '\1'));
  };
  const std::vector<std::string> words = {"a", "F32", "BF16", "shape", "dtype", "data_offsets"};
  const auto mutate = [&](const std::string& seed, FuzzRng& rng) {
    if (rng.OneIn(3)) return MutateBytes(file(seed), rng);
    return file(MutateJson(seed, words, rng));
  };
  ExpectNoFuzzFailures(
      {.name = "safetensors",
       .seeds = {header},
       .mutate = mutate,
       .read = [](const std::string& bytes) { return ParseSafetensors(bytes).status(); }},
      2000);
}

}  // namespace
}  // namespace quantry
