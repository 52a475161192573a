#ifndef QUANTRY_CLIENT_CLI_SUBMIT_COMMAND_H_
#define QUANTRY_CLIENT_CLI_SUBMIT_COMMAND_H_

#include <string>
#include <vector>

#include "client/cli/cli_context.h"

namespace quantry::client {

// The arguments as they were written; empty: not given.
struct SubmitOptions {
  std::string model;    // FILE, builtin:NAME..., job:ID
  std::string weights;  // FILE for builtin:NAME
  std::string dataset;
  std::string eval_dataset;
  std::string mode;  // "float", "ptq", "qat", "evaluate", "sensitivity", "mixed_precision"
  std::string quant_config_file;
  std::vector<std::string> settings;  // KEY=VALUE
  int devices = 0;                    // 0: not given
  std::string display_name;
  std::vector<std::string> labels;  // KEY=VALUE
  std::string name_space;
  std::string request_id;
  bool wait = false;
  bool validate_only = false;
};

// `quantry submit`: uploads the model where needed and submits one job. Returns the exit code.
int RunSubmit(const SubmitOptions& options, const CliContext& context);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_SUBMIT_COMMAND_H_
