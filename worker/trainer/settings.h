#ifndef QUANTRY_WORKER_TRAINER_SETTINGS_H_
#define QUANTRY_WORKER_TRAINER_SETTINGS_H_

#include <map>
#include <string>

#include "nlohmann/json.hpp"
#include "worker/trainer/run_options.h"

namespace quantry::trainer {

// Every setting of a run, defaults resolved, with the names of the job's spec.
nlohmann::json SettingsToJson(const RunOptions& options, const std::string& model_identity);

// The settings that decide what is computed, flat ("training.epochs": "10"): what a checkpoint is
// bound to. Numbers of threads, checkpoint intervals and paths are not among them.
std::map<std::string, std::string> RunIdentity(const RunOptions& options,
                                               const std::string& model_identity);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_SETTINGS_H_
