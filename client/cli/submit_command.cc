#include "client/cli/submit_command.h"

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <system_error>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/job_text.h"
#include "client/cli/json_output.h"
#include "client/cli/terminal.h"
#include "client/cli/transfer_bar.h"
#include "client/cli/watch_command.h"
#include "client/dataset_uri.h"
#include "client/field_value.h"
#include "client/model_argument.h"
#include "client/request_id.h"
#include "client/spec_settings.h"
#include "client/transfer/blob_transfer.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace quantry::client {
namespace {

namespace fs = std::filesystem;

// What is to be sent: the request, and the file that has to be uploaded before, if any.
struct Submission {
  v1::CreateJobRequest request;
  fs::path model_file;
  bool is_weights = false;  // model_file holds the weights of a built-in network
};

absl::Status SetModel(const std::string& argument, Submission& submission) {
  QUANTRY_ASSIGN_OR_RETURN(ModelArgument model, ParseModelArgument(argument));
  if (auto* source = std::get_if<v1::ModelSource>(&model)) {
    *submission.request.mutable_spec()->mutable_model() = std::move(*source);
    return absl::OkStatus();
  }
  submission.model_file = std::get<fs::path>(std::move(model));
  std::error_code error;
  if (!fs::is_regular_file(submission.model_file, error)) {
    return absl::NotFoundError(absl::StrCat("model '", argument,
                                            "': there is no such file; allowed: an ONNX file, "
                                            "builtin:NAME, job:ID"));
  }
  return absl::OkStatus();
}

absl::Status SetWeights(const std::string& argument, Submission& submission) {
  if (argument.empty()) return absl::OkStatus();
  if (!submission.request.spec().model().has_builtin()) {
    return absl::InvalidArgumentError("--weights is only for --model builtin:NAME");
  }
  std::error_code error;
  if (!fs::is_regular_file(argument, error)) {
    return absl::NotFoundError(absl::StrCat("weights '", argument,
                                            "': there is no such file; allowed: a safetensors, an "
                                            "ONNX or a TorchScript file"));
  }
  submission.model_file = argument;
  submission.is_weights = true;
  return absl::OkStatus();
}

absl::Status SetLabel(const std::string& label, v1::JobSpec& spec) {
  const size_t equals = label.find('=');
  if (equals == std::string::npos || equals == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("label '", label, "' is not of the form KEY=VALUE"));
  }
  (*spec.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  return absl::OkStatus();
}

// From arguments to a request; every error is the user's, and nothing has been sent yet.
absl::StatusOr<Submission> Prepare(const SubmitOptions& options) {
  Submission submission;
  v1::JobSpec& spec = *submission.request.mutable_spec();
  spec.set_display_name(options.display_name);
  QUANTRY_RETURN_IF_ERROR(SetModel(options.model, submission));
  QUANTRY_RETURN_IF_ERROR(SetWeights(options.weights, submission));
  QUANTRY_RETURN_IF_ERROR(WithContext(
      SetFieldFromText(options.mode, *v1::JobSpec::descriptor()->FindFieldByName("mode"), spec),
      "mode"));
  QUANTRY_ASSIGN_OR_RETURN(*spec.mutable_data()->mutable_train_uri(),
                           NormalizeDatasetUri(options.dataset));
  if (!options.eval_dataset.empty()) {
    QUANTRY_ASSIGN_OR_RETURN(std::string uri, NormalizeDatasetUri(options.eval_dataset));
    spec.mutable_data()->set_eval_uri(std::move(uri));
  }
  if (!options.quant_config_file.empty()) {
    QUANTRY_ASSIGN_OR_RETURN(*spec.mutable_quant_config(),
                             ReadFile(options.quant_config_file, 64 << 10));
  }
  if (options.devices > 0) {
    spec.mutable_resources()->set_device_count(options.devices);
    // Where several processes can train together in this release.
    if (options.devices > 1) spec.mutable_resources()->set_device_kind("cpu");
  }
  for (const std::string& setting : options.settings) {
    QUANTRY_RETURN_IF_ERROR(ApplySetting(setting, spec));
  }
  for (const std::string& label : options.labels) QUANTRY_RETURN_IF_ERROR(SetLabel(label, spec));
  if (!submission.model_file.empty() && !submission.is_weights && spec.has_model()) {
    return absl::InvalidArgumentError("--model names a file and --set another model; give one");
  }
  if (!options.request_id.empty() && !IsRequestId(options.request_id)) {
    return absl::InvalidArgumentError(absl::StrCat("request id is '", options.request_id,
                                                   "'; allowed: a UUID of version 4, as uuidgen -r "
                                                   "makes it"));
  }
  submission.request.set_namespace_(options.name_space);
  submission.request.set_request_id(options.request_id.empty() ? NewRequestId()
                                                               : options.request_id);
  submission.request.set_validate_only(options.validate_only);
  return submission;
}

absl::Status Upload(const CliContext& context, const JobClient& client, Submission& submission) {
  const BlobTransfer transfer(client.channel(), {.retry = context.Retry()});
  TransferBar bar(std::cerr, DetectTerminal(STDERR_FILENO),
                  absl::StrCat("uploading ", submission.model_file.filename().string()));
  QUANTRY_ASSIGN_OR_RETURN(
      std::string sha256,
      transfer.UploadFile(submission.model_file,
                          [&bar](int64_t done, int64_t total) { bar.Update(done, total); }));
  v1::ModelSource& model = *submission.request.mutable_spec()->mutable_model();
  if (submission.is_weights) {
    model.mutable_builtin()->set_weights(std::move(sha256));
  } else {
    model.set_blob(std::move(sha256));
  }
  return absl::OkStatus();
}

int Announce(const v1::Job& job, const SubmitOptions& options, const CliContext& context) {
  if (context.json) {
    std::cout << ToJsonLine(job) << '\n';
  } else if (options.validate_only) {
    std::cout << "The job is valid; nothing was submitted.\n";
  } else {
    const absl::string_view id = absl::StripPrefix(job.name(), "jobs/");
    std::cout << job.name() << std::endl;
    std::cerr << "Submitted. Follow it with: " << context.program << " watch " << id << '\n';
  }
  return kExitOk;
}

int WaitForEnd(const v1::Job& submitted, const JobClient& client, const CliContext& context) {
  // With --json, standard output is the job as it ended and nothing else.
  const std::unique_ptr<WatchView> view = context.json ? MakeTextView(std::cerr, STDERR_FILENO)
                                                       : MakeTextView(std::cout, STDOUT_FILENO);
  (context.json ? std::cerr : std::cout) << "Submitted " << submitted.name() << std::endl;
  v1::Job job;
  const ExitCode exit_code = FollowJob(client, {.job = submitted.name()}, context, *view, job);
  if (job.name().empty()) return exit_code;
  if (context.json) {
    std::cout << ToJsonLine(job) << '\n';
  } else if (const std::string result = ResultTable(job); !result.empty()) {
    std::cout << '\n' << result;
  }
  return exit_code;
}

}  // namespace

int RunSubmit(const SubmitOptions& options, const CliContext& context) {
  absl::StatusOr<Submission> submission = Prepare(options);
  if (!submission.ok()) return context.FailUsage(submission.status());
  const JobClient client = context.Connect();
  if (!submission->model_file.empty()) {
    const absl::Status status = Upload(context, client, *submission);
    if (!status.ok()) return context.Fail(status);
  }
  const absl::StatusOr<v1::Job> job = client.CreateJob(submission->request);
  if (!job.ok()) return context.Fail(job.status());
  if (options.wait && !options.validate_only) return WaitForEnd(*job, client, context);
  return Announce(*job, options, context);
}

}  // namespace quantry::client
