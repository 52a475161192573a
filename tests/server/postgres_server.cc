#include "tests/server/postgres_server.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/store/postgres_connection.h"

namespace quantry::server {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kStartLimit = absl::Seconds(60);

[[noreturn]] void Give(const std::string& why) {
  std::cerr << "PostgreSQL for tests: " << why << '\n';
  std::abort();
}

// /usr/lib/postgresql/VERSION/bin
std::string FindBinaries() {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
    if (fs::exists(entry.path() / "bin" / "postgres")) return (entry.path() / "bin").string();
  }
  Give("no server below /usr/lib/postgresql; install the package postgresql");
}

// `command` as the user "postgres" where this process is root.
std::vector<std::string> AsServer(std::vector<std::string> command) {
  if (geteuid() != 0) return command;
  const char* const prefix[] = {"/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres",
                                "--clear-groups"};
  command.insert(command.begin(), std::begin(prefix), std::end(prefix));
  return command;
}

std::unique_ptr<Process> Start(std::vector<std::string> command) {
  auto process = Process::Start(
      {.arguments = AsServer(std::move(command)), .environment = {}, .working_folder = "/"});
  if (!process.ok()) Give(process.status().ToString());
  return *std::move(process);
}

}  // namespace

PostgresServer& PostgresServer::Get() {
  static PostgresServer server;
  return server;
}

PostgresServer::PostgresServer() : binaries_(FindBinaries()) {
  const std::string data = (folder_.path() / "data").string();
  if (geteuid() == 0) {
    const std::string hand_over = absl::StrCat("chown postgres ", folder_.path().string());
    if (std::system(hand_over.c_str()) != 0) Give("the user postgres is missing");
  }
  const auto made = Start({binaries_ + "/initdb", "--pgdata=" + data, "--username=quantry",
                           "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"})
                        ->WaitFor(kStartLimit);
  if (!made.has_value() || !made->Succeeded()) Give("initdb failed");
  process_ = Start({binaries_ + "/postgres", "-D", data, "-k", folder_.path().string(), "-c",
                    "listen_addresses=", "-c", "max_connections=200"});
  const absl::Time limit = absl::Now() + kStartLimit;
  while (!PostgresConnection::Open(
              absl::StrCat("postgresql:///postgres?user=quantry&host=", folder_.path().string()))
              .ok()) {
    if (absl::Now() > limit) Give("it does not answer");
    absl::SleepFor(absl::Milliseconds(50));
  }
}

void PostgresServer::Run(const std::string& sql) {
  const auto connection = PostgresConnection::Open(
      absl::StrCat("postgresql:///postgres?user=quantry&host=", folder_.path().string()));
  if (!connection.ok()) Give(connection.status().ToString());
  if (const absl::Status status = (*connection)->Execute(sql); !status.ok()) {
    Give(status.ToString());
  }
}

std::string PostgresServer::NewDatabase() {
  const std::string name = absl::StrCat("test", ++databases_);
  Run(absl::StrCat("CREATE DATABASE ", name));
  return absl::StrCat("postgresql:///", name, "?user=quantry&host=", folder_.path().string());
}

}  // namespace quantry::server
