#include "client/cli/job_commands.h"

#include <unistd.h>

#include <algorithm>
#include <functional>
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
  request.set_filter(options.filter);
  request.set_order_by(options.order_by);
  request.set_namespace_(options.name_space);
  request.set_show_deleted(options.show_deleted);
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

namespace {

// Asks for a change of a job and says what it is now.
int RunVerb(const std::string& job, const CliContext& context,
            absl::StatusOr<v1::Job> (JobClient::*verb)(absl::string_view) const,
            const std::function<std::string(const v1::Job&)>& describe) {
  const absl::StatusOr<std::string> name = JobName(job);
  if (!name.ok()) return context.FailUsage(name.status());
  const JobClient client = context.Connect();
  const absl::StatusOr<v1::Job> changed = (client.*verb)(*name);
  if (!changed.ok()) return context.Fail(changed.status());
  if (context.json) {
    std::cout << ToJsonLine(*changed) << '\n';
  } else {
    std::cout << *name << " is " << StateText(changed->state()) << describe(*changed) << '\n';
  }
  return kExitOk;
}

}  // namespace

int RunCancel(const std::string& job, const CliContext& context) {
  return RunVerb(job, context, &JobClient::CancelJob, [](const v1::Job& changed) {
    return IsTerminal(changed.state()) ? "" : "; it will be CANCELLED when its trainer has ended";
  });
}

int RunPause(const std::string& job, const CliContext& context) {
  return RunVerb(job, context, &JobClient::PauseJob, [&](const v1::Job& changed) -> std::string {
    if (changed.pause_requested()) {
      return "; it will be PAUSED when its trainer has written a checkpoint";
    }
    return absl::StrCat("; go on with: ", context.program, " resume ", job);
  });
}

int RunResume(const std::string& job, const CliContext& context) {
  return RunVerb(job, context, &JobClient::ResumeJob, [](const v1::Job& changed) {
    return changed.has_checkpoint() ? "; it goes on from its checkpoint" : "";
  });
}

int RunRetry(const std::string& job, const CliContext& context) {
  return RunVerb(job, context, &JobClient::RetryJob, [](const v1::Job& changed) {
    return changed.has_checkpoint() ? "; it goes on from its checkpoint" : "; it starts again";
  });
}

int RunDelete(const std::string& job, const CliContext& context) {
  return RunVerb(job, context, &JobClient::DeleteJob, [&](const v1::Job& changed) {
    return absl::StrCat(" and deleted; nothing is left of it after ",
                        FormatDateTime(changed.purge_time()), ". Until then: ", context.program,
                        " undelete ", job);
  });
}

int RunUndelete(const std::string& job, const CliContext& context) {
  return RunVerb(job, context, &JobClient::UndeleteJob,
                 [](const v1::Job&) { return " and not deleted"; });
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
  const auto capabilities = JobClient(context.channel, options).GetCapabilities();
  if (context.json) {
    nlohmann::json versions = {{"clientVersion", QUANTRY_VERSION}};
    if (capabilities.ok()) versions["serverVersion"] = capabilities->version();
    std::cout << versions.dump() << '\n';
    return kExitOk;
  }
  std::cout << "quantry " << QUANTRY_VERSION << '\n'
            << "server at " << context.server.address << ": "
            << (capabilities.ok() ? SanitizeLine(capabilities->version()) : "does not answer")
            << '\n';
  return kExitOk;
}

}  // namespace quantry::client
