#ifndef QUANTRY_WORKER_TRAINER_RUN_OPTIONS_H_
#define QUANTRY_WORKER_TRAINER_RUN_OPTIONS_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/quant_config.h"
#include "worker/engine/data/augment/augment_options.h"
#include "worker/engine/train/choose_bits.h"
#include "worker/engine/train/sensitivity.h"
#include "worker/engine/train/train_options.h"

namespace quantry::trainer {

// With the numbers of v1::Mode.
enum class RunMode {
  kFloat = 1,
  kPtq = 2,
  kQat = 3,
  kEvaluate = 4,
  kSensitivity = 5,
  kMixedPrecision = 6,
};

// A network of the zoo. Absent: as engine::ZooOptions, with the dataset's number of classes.
struct BuiltinOptions {
  std::string name;
  std::optional<int64_t> num_classes;
  double width = 1.0;
  std::filesystem::path weights_path;  // empty: random weights
  bool new_classifier = false;         // with weights: see engine::LoadWeightsOptions
};

// Examples. Absent fields depend on the dataset or the model; LoadInputs fills them in.
struct DataOptions {
  std::string train_uri;
  std::string eval_uri;                    // empty: the "val" split of train_uri
  std::vector<std::string> allowed_roots;  // see engine::DatasetOptions; empty: anywhere
  std::filesystem::path cache_folder;      // of remote datasets; empty: see engine::RemoteOptions
  std::optional<int64_t> cache_bytes;      // likewise
  std::optional<int64_t> image_size;       // pixels, [8, 1024]
  std::array<double, 3> mean = {0.485, 0.456, 0.406};
  std::array<double, 3> std = {0.229, 0.224, 0.225};
  std::optional<bool> random_crop;  // absent: true for pictures
  std::optional<bool> random_flip;  // absent: whether the dataset mirrors well
  std::optional<int64_t> max_train_examples;
  std::optional<int64_t> max_eval_examples;
  int decode_threads = 1;           // [1, 64]
  double max_corrupt_share = 0.05;  // [0, 1]
  engine::AugmentOptions augment;
  std::string task_output;  // empty: the first
};

// What is done to the weights of a model that is quantized without training.
struct PtqOptions {
  bool equalize = false;      // engine::EqualizeLayers, before calibration
  bool correct_bias = false;  // engine::CorrectBiases, after calibration
  // engine::AdaptRounding, after calibration; not beside correct_bias.
  bool adaptive_rounding = false;
};

// Everything that defines one training run: the engine's view of a TrainerSpec.
struct RunOptions {
  RunMode mode = RunMode::kFloat;
  std::optional<BuiltinOptions> builtin;  // absent: the ONNX file model_path
  std::filesystem::path model_path;
  DataOptions data;
  QuantConfig quant;                 // of modes that quantize
  std::optional<double> pact_alpha;  // start value; absent: from calibration
  engine::TrainOptions train;
  bool loss_given = false;           // else train.loss.name becomes what the data's targets ask for
  int64_t batch_size = 64;           // [1, 65536]
  int64_t calibration_batches = 16;  // >= 1
  engine::SensitivityOptions sensitivity;         // kSensitivity and kMixedPrecision
  int64_t sensitivity_examples = 512;             // of the evaluation data, the first; >= 1
  engine::MixedPrecisionOptions mixed_precision;  // kMixedPrecision
  PtqOptions ptq;                                 // kPtq
  int threads = 1;                                // of LibTorch, >= 1
  std::filesystem::path checkpoint_path;  // empty: the one in the output folder, if there is one
};

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_RUN_OPTIONS_H_
