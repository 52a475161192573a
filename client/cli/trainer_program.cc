#include "client/cli/trainer_program.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace quantry::client {
namespace {

namespace fs = std::filesystem;

constexpr char kName[] = "quantry-trainer";

bool IsProgram(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

}  // namespace

absl::StatusOr<std::string> FindTrainer() {
  if (const char* named = std::getenv("QUANTRY_TRAINER"); named != nullptr && *named != '\0') {
    if (IsProgram(named)) return std::string(named);
    return absl::NotFoundError(absl::StrCat("QUANTRY_TRAINER is '", named,
                                            "', which is no program; allowed: the path of ", kName,
                                            ", or unset to look for it"));
  }
  std::error_code error;
  const fs::path beside = fs::read_symlink("/proc/self/exe", error).parent_path() / kName;
  if (!error && IsProgram(beside)) return beside.string();
  const char* path = std::getenv("PATH");
  for (const absl::string_view folder :
       absl::StrSplit(path == nullptr ? "" : path, ':', absl::SkipEmpty())) {
    const fs::path candidate = fs::path(std::string(folder)) / kName;
    if (IsProgram(candidate)) return candidate.string();
  }
  return absl::NotFoundError(absl::StrCat(
      kName, " is needed for this command and is neither beside this program (", beside.string(),
      ") nor in PATH; install it, run the command on a worker machine, or set QUANTRY_TRAINER"));
}

absl::Status ExecTrainer(const std::vector<std::string>& arguments) {
  QUANTRY_ASSIGN_OR_RETURN(std::string program, FindTrainer());
  std::vector<std::string> owned = {program};
  owned.insert(owned.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : owned) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  return ErrnoToStatus(errno, absl::StrCat("cannot run ", program));
}

}  // namespace quantry::client
