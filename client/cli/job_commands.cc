#include "client/cli/job_commands.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cli/event_text.h"
#include "client/cli/format.h"
#include "client/cli/job_text.h"
#include "client/cli/json_output.h"
#include "client/cli/terminal.h"
#include "client/job_watcher.h"
#include "client/transfer/channel.h"

namespace quantry::client {
namespace {

constexpr int64_t kLargestPage = 1000;

absl::Status AddStates(const std::vector<std::string>& names, v1::ListJobsRequest& request) {
  for (const std::string& name : names) {
    v1::JobState state;
    if (!v1::JobState_Parse(absl::StrCat("JOB_STATE_", absl::AsciiStrToUpper(name)), &state)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "state is '", name,
          "'; allowed: queued, leased, running, paused, succeeded, failed, cancelled"));
    }
    request.add_states(state);
  }
  return absl::OkStatus();
}

// All pages up to the limit.
absl::StatusOr<std::vector<v1::Job>> ListAll(const JobClient& client, v1::ListJobsRequest request,
                                             int64_t limit) {
  std::vector<v1::Job> jobs;
  while (true) {
    const int64_t left = limit == 0 ? kLargestPage : limit - static_cast<int64_t>(jobs.size());
    request.set_page_size(static_cast<int32_t>(std::min(left, kLargestPage)));
    absl::StatusOr<v1::ListJobsResponse> page = client.ListJobs(request);
    if (!page.ok()) return page.status();
    for (v1::Job& job : *page->mutable_jobs()) jobs.push_back(std::move(job));
    const bool enough = limit > 0 && static_cast<int64_t>(jobs.size()) >= limit;
    if (page->next_page_token().empty() || enough) return jobs;
    request.set_page_token(page->next_page_token());
  }
}

void ShowLog(const v1::Event& event, const CliContext& context, const Terminal& terminal) {
  if (context.json) {
    std::cout << ToJsonLine(event) << '\n' << std::flush;
  } else {
    std::cout << FormatDateTime(event.time()) << "  " << DescribeLog(event.log(), terminal) << '\n'
              << std::flush;
  }
}

}  // namespace

int RunList(const ListOptions& options, const CliContext& context) {
  v1::ListJobsRequest request;
  if (const absl::Status status = AddStates(options.states, request); !status.ok()) {
    return context.FailUsage(status);
  }
  const auto jobs = ListAll(context.Connect(), request, options.limit);
  if (!jobs.ok()) return context.Fail(jobs.status());
  if (context.json) {
    for (const v1::Job& job : *jobs) std::cout << ToJsonLine(job) << '\n';
  } else if (jobs->empty()) {
    std::cout << "No jobs. Submit one with: " << context.program << " submit --help\n";
  } else {
    std::cout << JobListTable(*jobs, absl::Now());
  }
  return kExitOk;
}

int RunGet(const std::string& job, const CliContext& context) {
  const absl::StatusOr<std::string> name = JobName(job);
  if (!name.ok()) return context.FailUsage(name.status());
  const absl::StatusOr<v1::Job> found = context.Connect().GetJob(*name);
  if (!found.ok()) return context.Fail(found.status());
  std::cout << (context.json ? ToJsonLine(*found) + "\n" : JobDetails(*found, absl::Now()));
  return kExitOk;
}

int RunCancel(const std::string& job, const CliContext& context) {
  const absl::StatusOr<std::string> name = JobName(job);
  if (!name.ok()) return context.FailUsage(name.status());
  const absl::StatusOr<v1::Job> cancelled = context.Connect().CancelJob(*name);
  if (!cancelled.ok()) return context.Fail(cancelled.status());
  if (context.json) {
    std::cout << ToJsonLine(*cancelled) << '\n';
  } else if (IsTerminal(cancelled->state())) {
    std::cout << *name << " is " << StateText(cancelled->state()) << '\n';
  } else {
    std::cout << *name << " is " << StateText(cancelled->state())
              << "; it will be CANCELLED when its trainer has ended\n";
  }
  return kExitOk;
}

int RunLogs(const LogsOptions& options, const CliContext& context) {
  const absl::StatusOr<std::string> name = JobName(options.job);
  if (!name.ok()) return context.FailUsage(name.status());
  const JobClient client = context.Connect();
  const absl::StatusOr<v1::Job> job = client.GetJob(*name);
  if (!job.ok()) return context.Fail(job.status());
  if (!options.follow && job->last_sequence() == 0) return kExitOk;
  JobWatcher watcher(client, *name);
  const Terminal terminal = DetectTerminal(STDOUT_FILENO);
  const absl::Status status = watcher.Run([&](const v1::Event& event) {
    if (event.has_log()) ShowLog(event, context, terminal);
    return options.follow || event.sequence() < job->last_sequence();
  });
  return status.ok() ? kExitOk : context.Fail(status);
}

int RunCapabilities(const CliContext& context) {
  const absl::StatusOr<v1::Capabilities> capabilities = context.Connect().GetCapabilities();
  if (!capabilities.ok()) return context.Fail(capabilities.status());
  std::cout << (context.json ? ToJsonLine(*capabilities) + "\n" : CapabilitiesTable(*capabilities));
  return kExitOk;
}

int RunVersion(const CliContext& context) {
  JobClientOptions options{.call_timeout = absl::Seconds(2)};
  options.retry.give_up_after = absl::Milliseconds(1);
  const auto capabilities = JobClient(MakeChannel(context.server), options).GetCapabilities();
  if (context.json) {
    nlohmann::json versions = {{"clientVersion", QUANTRY_VERSION}};
    if (capabilities.ok()) versions["serverVersion"] = capabilities->version();
    std::cout << versions.dump() << '\n';
    return kExitOk;
  }
  std::cout << "quantry " << QUANTRY_VERSION << '\n'
            << "server at " << context.server << ": "
            << (capabilities.ok() ? SanitizeLine(capabilities->version()) : "does not answer")
            << '\n';
  return kExitOk;
}

}  // namespace quantry::client
