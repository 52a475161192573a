#include "client/cli/download_command.h"

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/format.h"
#include "client/cli/job_text.h"
#include "client/cli/terminal.h"
#include "client/cli/text_table.h"
#include "client/cli/transfer_bar.h"
#include "client/job_watcher.h"
#include "client/transfer/blob_transfer.h"
#include "common/files.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace quantry::client {
namespace {

namespace fs = std::filesystem;

// The artifacts that were asked for, or why there are none.
absl::StatusOr<std::vector<v1::Artifact>> SelectArtifacts(const v1::Job& job,
                                                          const std::string& wanted) {
  std::vector<v1::Artifact> selected;
  std::vector<std::string> names;
  for (const v1::Artifact& artifact : job.artifacts()) {
    names.push_back(artifact.name());
    if (wanted.empty() || artifact.name() == wanted) selected.push_back(artifact);
  }
  if (!selected.empty()) return selected;
  if (names.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(job.name(), " is ", StateText(job.state()), " and has no artifacts; ",
                     IsTerminal(job.state()) ? "only a job that SUCCEEDED has"
                                             : "follow it with quantry watch"));
  }
  return absl::NotFoundError(absl::StrCat(job.name(), " has no artifact '", wanted,
                                          "'; allowed: ", absl::StrJoin(names, ", ")));
}

// An artifact's name becomes a file's: a name that leads elsewhere is the server's fault.
absl::Status CheckFileName(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || absl::StrContains(name, '/') ||
      absl::StrContains(name, '\0')) {
    return absl::DataLossError(
        absl::StrCat("the server names an artifact '", name, "', which is no file name"));
  }
  return absl::OkStatus();
}

bool IsThere(const fs::path& path, const v1::Artifact& artifact) {
  std::error_code error;
  if (fs::file_size(path, error) != static_cast<uintmax_t>(artifact.size_bytes()) || error) {
    return false;
  }
  const absl::StatusOr<std::string> sha256 = Sha256HexOfFile(path);
  return sha256.ok() && *sha256 == artifact.blob();
}

absl::Status Fetch(const v1::Artifact& artifact, const fs::path& path,
                   const BlobTransfer& transfer) {
  if (IsThere(path, artifact)) return absl::OkStatus();
  TransferBar bar(std::cerr, DetectTerminal(STDERR_FILENO), SanitizeLine(artifact.name()));
  return WithContext(
      transfer.DownloadBlob(artifact.blob(), path,
                            [&bar](int64_t done, int64_t total) { bar.Update(done, total); }),
      artifact.name());
}

void Report(const v1::Job& job, const std::vector<v1::Artifact>& artifacts, const fs::path& folder,
            const CliContext& context) {
  TextTable table({{"Artifact"}, {"Size", TextTable::Align::kRight}, {"File"}});
  nlohmann::json files = nlohmann::json::array();
  for (const v1::Artifact& artifact : artifacts) {
    const std::string path = (folder / artifact.name()).string();
    table.AddRow({artifact.name(), FormatBytes(artifact.size_bytes()), path});
    files.push_back({{"name", artifact.name()},
                     {"path", path},
                     {"sizeBytes", artifact.size_bytes()},
                     {"sha256", artifact.blob()}});
  }
  if (context.json) {
    std::cout << nlohmann::json{{"job", job.name()}, {"files", files}}.dump(
                     -1, ' ', false, nlohmann::json::error_handler_t::replace)
              << '\n';
  } else {
    std::cout << table.Render();
  }
}

}  // namespace

int RunDownload(const DownloadOptions& options, const CliContext& context) {
  const absl::StatusOr<std::string> name = JobName(options.job);
  if (!name.ok()) return context.FailUsage(name.status());
  const JobClient client = context.Connect();
  const absl::StatusOr<v1::Job> job = client.GetJob(*name);
  if (!job.ok()) return context.Fail(job.status());
  const auto artifacts = SelectArtifacts(*job, options.artifact);
  if (!artifacts.ok()) return context.Fail(artifacts.status());

  const fs::path folder = options.output;
  if (const absl::Status status = MakeDirectories(folder); !status.ok()) {
    return context.Fail(status);
  }
  const BlobTransfer transfer(client.channel(), {.retry = context.Retry()});
  for (const v1::Artifact& artifact : *artifacts) {
    absl::Status status = CheckFileName(artifact.name());
    if (status.ok()) status = Fetch(artifact, folder / artifact.name(), transfer);
    if (!status.ok()) return context.Fail(status);
  }
  Report(*job, *artifacts, folder, context);
  return kExitOk;
}

}  // namespace quantry::client
